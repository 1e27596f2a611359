-- The number of lapsed holds of a global code in all organizations that are not frozen, and the time when the first of the
-- others ends; for the platform only. The setting shows them on several nodes, where it acts as its caller.
create or replace function sum_holds_of_global_code(code_id uuid, as_of timestamptz)
returns table (lapsed integer, next_hold_ends_at timestamptz)
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    if current_setting('app.organization_id', true) is distinct from '00000000-0000-0000-0000-000000000000' then
        return;
    end if;
    set local app.uses_of_global_codes = 'visible';
    select count(*) into lapsed from redemptions r
    where r.promo_code_id = code_id and r.promo_code_owner_id = '00000000-0000-0000-0000-000000000000'
      and r.status = 'Held' and r.held_until <= as_of
      and not exists (select from organizations o where o.id = r.organization_id and o.frozen_at is not null);
    select min(r.held_until) into next_hold_ends_at from redemptions r
    where r.promo_code_id = code_id and r.promo_code_owner_id = '00000000-0000-0000-0000-000000000000'
      and r.status = 'Held' and r.held_until > as_of;
    set local app.uses_of_global_codes = '';
    return next;
end
$$;
revoke all on function sum_holds_of_global_code(uuid, timestamptz) from public;
grant execute on function sum_holds_of_global_code(uuid, timestamptz) to tessera_app;
