-- Replaces the function of one Postgres, which looks for the organizations one by one, by a query that each node answers for its own.
create or replace function list_organizations_to_roll_up(closed_until date) returns setof uuid
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    if current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000' then
        return query
        select distinct l.organization_id
        from redemption_ledger l left join report_marks m on m.organization_id = l.organization_id
        where l.redeemed_change <> 0
          and l.at >= coalesce(m.rolled_until, '-infinity'::date)::timestamp at time zone 'UTC'
          and l.at < closed_until::timestamp at time zone 'UTC'
        order by 1;
    end if;
end
$$;
revoke all on function list_organizations_to_roll_up(date) from public;
grant execute on function list_organizations_to_roll_up(date) to tessera_app;
