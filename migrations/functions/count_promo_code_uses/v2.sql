-- Adds to the counts of the codes that have a limit in total, and to the caller's counts of global codes that limit each
-- organization; codes without these limits share no row.
create or replace function count_promo_code_uses(code_ids uuid[], redeemed integer[], held integer[]) returns void
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
    shared constant uuid[] := array(
        select p.id from promo_codes p
        where p.organization_id = platform and p.id = any (code_ids) and p.max_redemptions_per_organization is not null
    );
begin
    update promo_codes p
    set redemption_count = p.redemption_count + used.redeemed, held_count = p.held_count + used.held
    from unnest(code_ids, redeemed, held) as used (id, redeemed, held)
    where p.organization_id in (own, platform) and p.id = used.id and p.max_redemptions is not null;
    if cardinality(shared) > 0 then
        insert into promo_code_shares (organization_id, promo_code_id, used_by, redemption_count, held_count)
        select platform, code.id, own, 0, 0 from unnest(shared) as code (id)
        on conflict do nothing;
        update promo_code_shares s
        set redemption_count = s.redemption_count + used.redeemed, held_count = s.held_count + used.held
        from unnest(code_ids, redeemed, held) as used (id, redeemed, held)
        where s.organization_id = platform and s.promo_code_id = used.id and s.promo_code_id = any (shared)
          and s.used_by = own;
    end if;
end
$$;
revoke all on function count_promo_code_uses(uuid[], integer[], integer[]) from public;
grant execute on function count_promo_code_uses(uuid[], integer[], integer[]) to tessera_app;
