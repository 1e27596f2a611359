-- For those of the global codes that limit each organization, the uses of the caller's organization, and the time when the
-- first of its holds ends if it has no uses left. It pins the platform for the codes and their shares, because it acts as its
-- caller on several nodes.
create or replace function find_promo_code_shares(code_ids uuid[], as_of timestamptz)
returns table (promo_code_id uuid, max_redemptions_per_organization integer, uses integer, next_hold_ends_at timestamptz)
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
    shared record;
    lapsed integer;
    until timestamptz;
begin
    if own is null then
        return;
    end if;
    set local app.organization_id = '00000000-0000-0000-0000-000000000000';
    for shared in
        select p.id, p.max_redemptions_per_organization as most, coalesce(s.redemption_count, 0) as redemption_count,
               coalesce(s.held_count, 0) as held_count
        from promo_codes p
        left join promo_code_shares s on s.organization_id = platform and s.promo_code_id = p.id and s.used_by = own
        where p.organization_id = platform and p.id = any (code_ids) and p.max_redemptions_per_organization is not null
    loop
        lapsed := 0;
        until := null;
        if shared.held_count > 0 then
            execute format('set local app.organization_id = %L', own);
            select count(*) filter (where r.held_until <= as_of), min(r.held_until) filter (where r.held_until > as_of)
            into lapsed, until
            from redemptions r
            where r.organization_id = own and r.promo_code_id = shared.id and r.promo_code_owner_id = platform
              and r.status = 'Held';
            set local app.organization_id = '00000000-0000-0000-0000-000000000000';
        end if;
        promo_code_id := shared.id;
        max_redemptions_per_organization := shared.most;
        uses := shared.redemption_count + shared.held_count - lapsed;
        next_hold_ends_at := case when shared.redemption_count + shared.held_count >= shared.most then until end;
        return next;
    end loop;
    execute format('set local app.organization_id = %L', own);
end
$$;
revoke all on function find_promo_code_shares(uuid[], timestamptz) from public;
grant execute on function find_promo_code_shares(uuid[], timestamptz) to tessera_app;
