-- Marks the lapsed holds of a code of the pinned organization as Expired, and notes them in the ledger; returns the
-- organization of each. The holds of a global code are those of all organizations that are not frozen, and cannot be frozen until
-- the transaction ends; the setting shows them on several nodes, where it acts as its caller. A frozen organization is being copied
-- or deleted: its lapsed holds count until it is unfrozen. Each statement but the first one names one organization.
create or replace function expire_lapsed_holds(code_id uuid, as_of timestamptz) returns setof uuid
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
    holds refcursor;
    hold record;
    holder uuid;
    may_change boolean := true;
    lapsed redemptions;
begin
    if own = platform then
        set local app.uses_of_global_codes = 'visible';
        open holds for
        select r.organization_id, r.id from redemptions r
        where r.promo_code_owner_id = platform and r.promo_code_id = code_id
          and r.status = 'Held' and r.held_until <= as_of
          and not exists (select from organizations o where o.id = r.organization_id and o.frozen_at is not null)
        order by r.organization_id, r.id;
    else
        open holds for
        select r.organization_id, r.id from redemptions r
        where r.organization_id = own and r.promo_code_owner_id = own and r.promo_code_id = code_id
          and r.status = 'Held' and r.held_until <= as_of;
    end if;
    loop
        fetch holds into hold;
        exit when not found;
        -- An organization may have been frozen since the first statement.
        if own = platform and hold.organization_id is distinct from holder then
            holder := hold.organization_id;
            may_change := exists (select from hold_organizations(array[holder]));
        end if;
        continue when not may_change;
        update redemptions r set status = 'Expired', changes = r.changes + 1, updated_at = as_of
        where r.organization_id = hold.organization_id and r.id = hold.id
          and r.status = 'Held' and r.held_until <= as_of
        returning r.* into lapsed;
        if found then
            insert into redemption_ledger (
                organization_id, redemption_id, number, status, redeemed_change, held_change, promo_code_owner_id,
                promo_code_id, code, store_exam_id, product_bundle_id, discount, at
            ) values (
                lapsed.organization_id, lapsed.id, lapsed.changes, 'Expired', 0, -1, own, code_id, lapsed.code,
                lapsed.store_exam_id, lapsed.product_bundle_id, lapsed.discount, as_of
            );
            return next lapsed.organization_id;
        end if;
    end loop;
    close holds;
    set local app.uses_of_global_codes = '';
end
$$;
revoke all on function expire_lapsed_holds(uuid, timestamptz) from public;
grant execute on function expire_lapsed_holds(uuid, timestamptz) to tessera_app;
