-- Locks those of the codes of the pinned organization that have a limit until the end of the transaction, always in the same
-- order, and gives back the uses of their lapsed holds. These are marked Expired, because a confirmation that waits for this
-- lock must not take a use that another redemption now has.
create or replace function lock_limited_promo_codes(code_ids uuid[], as_of timestamptz) returns void
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
    code uuid;
    holder uuid;
    given_back integer;
begin
    perform from promo_codes p
    where p.organization_id = own and p.id = any (code_ids)
      and num_nonnulls(
          p.max_redemptions, p.max_redemptions_per_candidate, p.max_redemptions_per_organization
      ) > 0
    order by p.id
    for no key update;
    -- A statement of its own, which sees what others have committed while this one waited.
    for code in
        select p.id from promo_codes p
        where p.organization_id = own and p.id = any (code_ids)
          and (p.held_count > 0 or p.max_redemptions is null and num_nonnulls(
              p.max_redemptions_per_candidate, p.max_redemptions_per_organization
          ) > 0)
        order by p.id
    loop
        given_back := 0;
        for holder in select expired from expire_lapsed_holds(code, as_of) as expired loop
            given_back := given_back + 1;
            if own = platform then
                update promo_code_shares s set held_count = s.held_count - 1
                where s.organization_id = own and s.promo_code_id = code and s.used_by = holder;
            end if;
        end loop;
        if given_back > 0 then
            update promo_codes p set held_count = p.held_count - given_back
            where p.organization_id = own and p.id = code and p.max_redemptions is not null;
        end if;
    end loop;
end
$$;
revoke all on function lock_limited_promo_codes(uuid[], timestamptz) from public;
grant execute on function lock_limited_promo_codes(uuid[], timestamptz) to tessera_app;
