-- Reads the index of checkouts, which contains no others, instead of every organization.
create or replace function list_overdue_checkouts(expired_before timestamptz) returns table (organization_id uuid)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    if current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000' then
        return query
        select distinct p.organization_id from voucher_purchases p
        where p.status = 'CheckoutInProgress' and p.checkout_expires_at <= expired_before
        order by p.organization_id;
    end if;
end
$$;
revoke all on function list_overdue_checkouts(timestamptz) from public;
grant execute on function list_overdue_checkouts(timestamptz) to tessera_app;
