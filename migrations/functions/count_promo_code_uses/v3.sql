-- Adds to the counts of the codes that have a limit in total, and to the caller's counts of global codes that limit each
-- organization. It pins the platform for global codes, because it acts as its caller on several nodes.
create or replace function count_promo_code_uses(code_ids uuid[], redeemed integer[], held integer[]) returns void
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
    code uuid;
begin
    if own is null then
        return;
    end if;
    update promo_codes p
    set redemption_count = p.redemption_count + used.redeemed, held_count = p.held_count + used.held
    from unnest(code_ids, redeemed, held) as used (id, redeemed, held)
    where p.organization_id = own and p.id = used.id and p.max_redemptions is not null;
    if own = platform or cardinality(code_ids) = (
        select count(*) from promo_codes p where p.organization_id = own and p.id = any (code_ids)
    ) then
        return;
    end if;
    set local app.organization_id = '00000000-0000-0000-0000-000000000000';
    update promo_codes p
    set redemption_count = p.redemption_count + used.redeemed, held_count = p.held_count + used.held
    from unnest(code_ids, redeemed, held) as used (id, redeemed, held)
    where p.organization_id = platform and p.id = used.id and p.max_redemptions is not null;
    for code in
        select p.id from promo_codes p
        where p.organization_id = platform and p.id = any (code_ids) and p.max_redemptions_per_organization is not null
        order by p.id
    loop
        insert into promo_code_shares (organization_id, promo_code_id, used_by, redemption_count, held_count)
        values (platform, code, own, 0, 0) on conflict do nothing;
        update promo_code_shares s
        set redemption_count = s.redemption_count + used.redeemed, held_count = s.held_count + used.held
        from unnest(code_ids, redeemed, held) as used (id, redeemed, held)
        where s.organization_id = platform and s.promo_code_id = code and s.used_by = own and used.id = code;
    end loop;
    execute format('set local app.organization_id = %L', own);
end
$$;
revoke all on function count_promo_code_uses(uuid[], integer[], integer[]) from public;
grant execute on function count_promo_code_uses(uuid[], integer[], integer[]) to tessera_app;
