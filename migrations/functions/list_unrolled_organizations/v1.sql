-- Returns only the organizations: each of them is rolled up in its own transaction.
create or replace function list_unrolled_organizations(closed_until date) returns setof uuid
language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
    select o.id from organizations o left join report_marks m on m.organization_id = o.id
    where current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000'
      and exists (
          select from redemption_ledger l
          where l.organization_id = o.id and l.redeemed_change <> 0
            and l.at >= coalesce(m.rolled_until, '-infinity'::date)::timestamp at time zone 'UTC'
            and l.at < closed_until::timestamp at time zone 'UTC'
      )
    order by o.id
$$;
revoke all on function list_unrolled_organizations(date) from public;
grant execute on function list_unrolled_organizations(date) to tessera_app;
