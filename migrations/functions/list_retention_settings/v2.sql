-- The periods of all organizations that do not keep everything; for the platform's jobs only.
create or replace function list_retention_settings()
returns table (
    organization_id uuid, candidates_after_days integer, tokens_after_days integer, audit_after_months integer,
    redemptions_after_months integer, failed_jobs_after_days integer
)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    return query
    select s.organization_id, s.candidates_after_days, s.tokens_after_days, s.audit_after_months,
           s.redemptions_after_months, s.failed_jobs_after_days
    from retention_settings s
    where current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000'
      and num_nonnulls(
          s.candidates_after_days, s.tokens_after_days, s.audit_after_months, s.redemptions_after_months,
          s.failed_jobs_after_days
      ) > 0
    order by s.organization_id;
end
$$;
revoke all on function list_retention_settings() from public;
grant execute on function list_retention_settings() to tessera_app;
