-- The paid purchases of all organizations whose vouchers are still missing; for the platform only.
create or replace function list_unfinished_purchases(purchased_before timestamptz)
returns table (organization_id uuid, organization_name text, id uuid, code text, quantity integer, purchased_at timestamptz)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    if current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000' then
        return query
        select o.id, o.name, p.id, p.code, p.quantity, p.purchased_at
        from organizations o
        join voucher_purchases p on p.organization_id = o.id
        where p.status = 'VoucherCreation' and p.purchased_at < purchased_before
        order by p.id;
    end if;
end
$$;
revoke all on function list_unfinished_purchases(timestamptz) from public;
grant execute on function list_unfinished_purchases(timestamptz) to tessera_app;
