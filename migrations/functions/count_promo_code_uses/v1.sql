-- Adds to the counts of the codes that have a limit in total; codes without one share no row.
create or replace function count_promo_code_uses(code_ids uuid[], redeemed integer[], held integer[]) returns void
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
declare 
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';

begin
    update promo_codes p
    set redemption_count = p.redemption_count + used.redeemed, held_count = p.held_count + used.held
    from unnest(code_ids, redeemed, held) as used (id, redeemed, held)
    where p.organization_id in (own, platform) and p.id = used.id and p.max_redemptions is not null;
end
$$;
revoke all on function count_promo_code_uses(uuid[], integer[], integer[]) from public;
grant execute on function count_promo_code_uses(uuid[], integer[], integer[]) to tessera_app;
