-- Citus repeats a policy on the nodes without the words AS RESTRICTIVE, at the distribution and at each move of a shard, and a
-- condition that was to limit rows then adds rows. So the conditions of restrictive policies become parts of the policy that admits
-- the rows of the organization, which is one for all commands, or one for each command if their conditions differ.
-- A distributed table also has no policy with a sub-select. On one Postgres the sub-selects read the setting once for each
-- statement, and policies without them once for each row, which doubles the time of long lists.
do $$
declare
    subselect constant text := $re$\( SELECT (\(NULLIF\(current_setting\('app.partner_id'::text, true\), ''::text\)\)::uuid) AS "nullif"\)$re$;
    command text;
begin
    if exists (
        select from pg_policy p where not p.polpermissive
        and not exists (select from pg_policy t where t.polrelid = p.polrelid and t.polname = 'tenant')
    ) then
        raise exception 'a restrictive policy has no policy that it could become a part of';
    end if;
    for command in
        with restriction as (
            select p.polrelid as table_id, p.polcmd as code,
                   ' and ' || regexp_replace(
                       coalesce(pg_get_expr(p.polwithcheck, p.polrelid), pg_get_expr(p.polqual, p.polrelid)), subselect, '\1', 'g'
                   ) as condition
            from pg_policy p where not p.polpermissive
        ), tenant as (
            select t.polrelid as table_id, pg_get_expr(t.polqual, t.polrelid) as condition, t.polroles[1]::regrole as role,
                   (select bool_and(r.code = '*') from restriction r where r.table_id = t.polrelid) as is_one
            from pg_policy t where t.polname = 'tenant'
        )
        select concat('alter policy tenant on ', t.table_id::regclass, ' using (', t.condition,
                   (select string_agg(r.condition, '') from restriction r where r.table_id = t.table_id), ')')
        from tenant t where t.is_one
        union all
        select concat('create policy tenant_', c.name, ' on ', t.table_id::regclass, ' for ', c.name, ' to ', t.role, c.clause, '(',
                   t.condition,
                   (select string_agg(r.condition, '') from restriction r where r.table_id = t.table_id and r.code in ('*', c.code)),
                   ')')
        from tenant t
        cross join (
            values ('r', 'select', ' using '), ('a', 'insert', ' with check '), ('w', 'update', ' using '), ('d', 'delete', ' using ')
        ) as c (code, name, clause)
        where not t.is_one
    loop
        execute command;
    end loop;
    for command in
        select concat('drop policy ', quote_ident(p.polname), ' on ', p.polrelid::regclass) from pg_policy p
        where not p.polpermissive
           or p.polname = 'tenant'
              and exists (select from pg_policy s where s.polrelid = p.polrelid and s.polname = 'tenant_select')
    loop
        execute command;
    end loop;
end $$;
