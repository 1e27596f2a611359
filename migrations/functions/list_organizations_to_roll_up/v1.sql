-- The organizations that have redemptions of days before this one that are not rolled up; for the platform's jobs only.
create or replace function list_organizations_to_roll_up(closed_until date) returns setof uuid
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    if current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000' then
        return query
        select o.id from organizations o left join report_marks m on m.organization_id = o.id
        where exists (
            select from redemption_ledger l
            where l.organization_id = o.id and l.redeemed_change <> 0
              and l.at >= coalesce(m.rolled_until, '-infinity'::date)::timestamp at time zone 'UTC'
              and l.at < closed_until::timestamp at time zone 'UTC'
        )
        order by o.id;
    end if;
end
$$;
revoke all on function list_organizations_to_roll_up(date) from public;
grant execute on function list_organizations_to_roll_up(date) to tessera_app;
