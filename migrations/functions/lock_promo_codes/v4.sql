-- Locks those of the codes that have a limit until the end of the transaction, and ends their lapsed holds. It pins the platform
-- for global codes, because it acts as its caller on several nodes.
create or replace function lock_promo_codes(code_keys text[], code_ids uuid[], as_of timestamptz) returns uuid[]
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
    own_ids uuid[];
    own_keys text[];
    global_ids uuid[] := '{}';
begin
    select coalesce(array_agg(p.id), '{}'), coalesce(array_agg(p.name_key), '{}') into own_ids, own_keys
    from promo_codes p where p.organization_id = own and p.name_key = any (code_keys);
    if code_ids <> '{}' then
        own_ids := own_ids || array(
            select p.id from promo_codes p where p.organization_id = own and p.id = any (code_ids)
        );
    end if;
    if own <> platform and not (code_keys <@ own_keys and code_ids <@ own_ids) then
        set local app.organization_id = '00000000-0000-0000-0000-000000000000';
        global_ids := array(
            select p.id from promo_codes p
            where p.organization_id = platform and p.name_key = any (code_keys) and p.name_key <> all (own_keys)
        ) || array(select p.id from promo_codes p where p.organization_id = platform and p.id = any (code_ids));
        execute format('set local app.organization_id = %L', own);
    end if;
    -- Uses of a code without a limit touch no shared row. Whoever gives it a limit waits here for the uses under way, and
    -- those that wait meanwhile see the limit in the statements below.
    perform pg_advisory_xact_lock_shared(hashtextextended(id::text, 0))
    from (select distinct id from unnest(own_ids || global_ids) as id order by id) codes;
    if global_ids <> '{}' then
        set local app.organization_id = '00000000-0000-0000-0000-000000000000';
        perform lock_limited_promo_codes(global_ids, as_of);
        execute format('set local app.organization_id = %L', own);
    end if;
    if own_ids <> '{}' then
        perform lock_limited_promo_codes(own_ids, as_of);
    end if;
    return own_ids || global_ids;
end
$$;
revoke all on function lock_promo_codes(text[], uuid[], timestamptz) from public;
grant execute on function lock_promo_codes(text[], uuid[], timestamptz) to tessera_app;
