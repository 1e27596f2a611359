-- Returns only the organizations: each of them changes its own rows in its own transaction.
create or replace function list_overdue_checkouts(expired_before timestamptz) returns table (organization_id uuid)
language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
    select o.id
    from organizations o
    where current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000'
      and exists (
          select from voucher_purchases p
          where p.organization_id = o.id and p.status = 'CheckoutInProgress' and p.checkout_expires_at <= expired_before
      )
    order by o.id
$$;
revoke all on function list_overdue_checkouts(timestamptz) from public;
grant execute on function list_overdue_checkouts(timestamptz) to tessera_app;
