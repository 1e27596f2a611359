-- What the ledgers of all organizations say about global codes; for the platform only.
create or replace function sum_ledger_of_global_codes()
returns table (promo_code_id uuid, redeemed bigint, held bigint)
language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
    select l.promo_code_id, sum(l.redeemed_change), sum(l.held_change) from redemption_ledger l
    where current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000'
      and l.promo_code_owner_id = '00000000-0000-0000-0000-000000000000'
    group by l.promo_code_id
$$;
revoke all on function sum_ledger_of_global_codes() from public;
grant execute on function sum_ledger_of_global_codes() to tessera_app;
