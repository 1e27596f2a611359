-- Recounts the uses of the caller's codes, of all organizations for global codes. Until the end of the transaction nobody else
-- uses the codes. The lapsed holds of codes without a limit, which have no count to correct, are marked Expired.
create or replace function recount_promo_codes(code_ids uuid[], as_of timestamptz)
returns table (promo_code_id uuid, redeemed integer, held integer)
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
    own_ids constant uuid[] := array(
        select p.id from promo_codes p where p.organization_id = own and p.id = any (code_ids) order by p.id
    );
    code record;
begin
    perform pg_advisory_xact_lock(hashtextextended(id::text, 0)) from unnest(own_ids) as id;
    for code in
        select p.id, p.max_redemptions from promo_codes p
        where p.organization_id = own and p.id = any (own_ids) order by p.id
    loop
        if code.max_redemptions is null then
            perform expire_lapsed_holds(code.id, as_of);
        end if;
        promo_code_id := code.id;
        if own = platform then
            select coalesce(sum(l.redeemed), 0), coalesce(sum(l.held), 0) into redeemed, held
            from sum_ledger_by_organization(array[code.id]) l;
        else
            -- One statement, which sees either a redemption or its dropped use.
            select count(*) filter (where r.status = 'Redeemed') + coalesce((
                select d.redeemed from dropped_uses d
                where d.organization_id = own and d.owner_id = own and d.used_id = code.id
            ), 0), count(*) filter (where r.status = 'Held')
            into redeemed, held
            from redemptions r
            where r.organization_id = own and r.promo_code_id = code.id and r.status in ('Held', 'Redeemed');
        end if;
        return next;
    end loop;
end
$$;
revoke all on function recount_promo_codes(uuid[], timestamptz) from public;
grant execute on function recount_promo_codes(uuid[], timestamptz) to tessera_app;
