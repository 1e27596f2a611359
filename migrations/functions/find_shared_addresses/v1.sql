-- Those of these addresses that candidates without these ids have in redemptions of the organization. For each address one
-- such redemption is looked for, however many there are. It has the owner's rights for the same reason as find_persons.
create or replace function find_shared_addresses(own_ids text[], email_keys text[]) returns table (email_key text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
begin
    if nullif(current_setting('app.partner_id', true), '') is not null then
        return;
    end if;
    return query
    select address.email_key from unnest(email_keys) as address (email_key) where exists (
        select from redemptions r
        where r.organization_id = own and r.email is not null
          and lower(r.email collate "C") = address.email_key and r.person_id <> all (own_ids)
    );
end
$$;
revoke all on function find_shared_addresses(text[], text[]) from public;
grant execute on function find_shared_addresses(text[], text[]) to tessera_app;
