-- Returns the digest of a key also for an address outside of its networks, with null as is_active: the process that knows
-- the digest can tell the owner from those who try secrets for this key.
create or replace function find_callers(kinds text[], organization_ids uuid[], ids uuid[], addresses inet[])
returns table (
    "position" integer, id uuid, name text, function_points text[], partner_id uuid, revoked_at timestamptz,
    expires_at timestamptz, is_active boolean, secret_digest bytea, first_key_id uuid, token_generation integer,
    token_function_points text[], token_issuer text
)
language plpgsql
as $$
begin
    for n in 1 .. coalesce(array_length(ids, 1), 0) loop
        execute format('set local app.organization_id = %L', organization_ids[n]);
        case kinds[n]
        when 'key' then
            return query
            select n, k.id, k.name, k.function_points, null::uuid, k.revoked_at, k.expires_at,
                   case when k.networks is null or addresses[n] <<= any (k.networks) then o.is_active end, k.key_digest,
                   k.first_key_id, null::integer, null::text[], null::text
            from api_keys k join organizations o on o.id = k.organization_id
            where k.organization_id = organization_ids[n] and k.id = ids[n];
        when 'client' then
            return query
            select n, c.id, c.name, c.function_points, null::uuid, c.revoked_at, null::timestamptz, o.is_active,
                   c.secret_digest, null::uuid, coalesce(c.token_generation, 0), null::text[], null::text
            from api_clients c join organizations o on o.id = c.organization_id
            where c.organization_id = organization_ids[n] and c.id = ids[n];
        when 'token' then
            return query
            select n, u.id, u.email, u.function_points, u.partner_id, t.revoked_at, t.expires_at,
                   u.is_active and o.is_active and (u.partner_id is null or p.status = 'Active'), null::bytea, null::uuid,
                   null::integer, t.function_points, t.issuer
            from issued_tokens t
            join users u on u.organization_id = t.organization_id and u.id = t.user_id
            join organizations o on o.id = t.organization_id
            left join voucher_partners p on p.organization_id = u.organization_id and p.id = u.partner_id
            where t.organization_id = organization_ids[n] and t.id = ids[n];
        end case;
    end loop;
    set local app.organization_id = '';
end
$$;
revoke all on function find_callers(text[], uuid[], uuid[], inet[]) from public;
grant execute on function find_callers(text[], uuid[], uuid[], inet[]) to tessera_app;
