-- On several nodes all writes of a transaction have the rights of one role, so functions that lock or write act as their caller,
-- and so do those that read the same tables. The setting, which only these functions have, shows the platform the uses of its
-- codes in all organizations: a statement without a condition on the organization goes on showing only rows of one. Users of
-- partners see none of these rows.
alter policy tenant on redemptions using (
    nullif(current_setting('app.partner_id', true), '')::uuid is null and (
        organization_id = nullif(current_setting('app.organization_id', true), '')::uuid
        or promo_code_owner_id = '00000000-0000-0000-0000-000000000000'
        and promo_code_owner_id = nullif(current_setting('app.organization_id', true), '')::uuid
        and current_setting('app.uses_of_global_codes', true) = 'visible'
    )
);
alter policy tenant on redemption_ledger using (
    nullif(current_setting('app.partner_id', true), '')::uuid is null and (
        organization_id = nullif(current_setting('app.organization_id', true), '')::uuid
        or promo_code_owner_id = '00000000-0000-0000-0000-000000000000'
        and promo_code_owner_id = nullif(current_setting('app.organization_id', true), '')::uuid
        and current_setting('app.uses_of_global_codes', true) = 'visible'
    )
);
alter policy tenant on dropped_uses using (
    nullif(current_setting('app.partner_id', true), '')::uuid is null and (
        organization_id = nullif(current_setting('app.organization_id', true), '')::uuid
        or owner_id = '00000000-0000-0000-0000-000000000000'
        and owner_id = nullif(current_setting('app.organization_id', true), '')::uuid
        and current_setting('app.uses_of_global_codes', true) = 'visible'
    )
);
-- The setting keeps the application from deleting entries by mistake. It is no lock: each session could set it.
alter policy tenant_delete on audit_entries using (
    nullif(current_setting('app.partner_id', true), '')::uuid is null
    and organization_id = nullif(current_setting('app.organization_id', true), '')::uuid
    and current_setting('app.drops_entries', true) = 'yes'
);
alter policy tenant_delete on audit_seals using (
    nullif(current_setting('app.partner_id', true), '')::uuid is null
    and organization_id = nullif(current_setting('app.organization_id', true), '')::uuid
    and current_setting('app.drops_entries', true) = 'yes'
);
grant delete on audit_entries, audit_seals to tessera_app;
grant update on audit_stubs to tessera_app;
alter function count_promo_code_uses(uuid[], integer[], integer[]) security invoker;
alter function expire_lapsed_holds(uuid, timestamptz) security invoker;
alter function find_persons(text[], text[]) security invoker;
alter function find_shared_addresses(text[], text[]) security invoker;
alter function find_promo_code_shares(uuid[], timestamptz) security invoker;
alter function lock_limited_promo_codes(uuid[], timestamptz) security invoker;
alter function lock_promo_codes(text[], uuid[], timestamptz) security invoker;
alter function look_up_global_promo_code(text, uuid, uuid, text, text, timestamptz) security invoker;
alter function look_up_promo_codes(text[], uuid[], uuid[], text[], text[], timestamptz) security invoker;
alter function recount_promo_codes(uuid[], timestamptz) security invoker;
alter function sum_holds_of_global_code(uuid, timestamptz) security invoker;
alter function sum_ledger_by_organization(uuid[]) security invoker;
alter function sum_ledger_of_global_codes() security invoker;
grant update on promo_code_shares to tessera_app;
