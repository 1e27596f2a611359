-- Drops up to `size` closed redemptions of the caller's organization with their ledger, and reservations that have no redemption
-- left, and adds to the dropped totals and uses what their entries had contributed. The application may delete neither: this
-- function deletes only what the retention of the organization no longer keeps. It waits for nobody: what others have locked
-- stays. Returns the number of redemptions and reservations.
create or replace function drop_redemptions(as_of timestamptz, size integer) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    kept_since timestamptz;
    mark date;
    reservation_ids uuid[];
    redemption_ids uuid[];
begin
    select least(as_of, now()) - s.redemptions_after_months * interval '31 days' into kept_since
    from retention_settings s where s.organization_id = own;
    if kept_since is null then
        return 0;
    end if;
    -- Until the end of this transaction the mark does not move. While others roll up or rebuild totals, nothing of them is dropped.
    select m.rolled_until into mark from report_marks m where m.organization_id = own for no key update skip locked;
    redemption_ids := array(
        select r.id from redemptions r
        where r.organization_id = own and r.status in ('Released', 'Expired', 'Cancelled') and r.updated_at < kept_since
        order by r.updated_at, r.id limit size for update skip locked
    );
    -- Vouchers have the candidates of their reservations, which become anonymous first.
    reservation_ids := array(
        select s.id from reservations s
        where s.organization_id = own and s.status in ('Completed', 'NoShow', 'Cancelled')
          and s.anonymised_at is not null and s.updated_at < kept_since
          and not exists (
              select from redemptions r
              where r.organization_id = own and r.reservation_id = s.id
                and (r.status = 'Held' or r.updated_at >= kept_since)
          )
        order by s.updated_at, s.id limit size - cardinality(redemption_ids) for update skip locked
    );
    redemption_ids := redemption_ids || array(
        select r.id from redemptions r
        where r.organization_id = own and r.reservation_id = any (reservation_ids) and r.id <> all (redemption_ids)
          and r.status <> 'Held' and r.updated_at < kept_since
        order by r.id limit size - cardinality(redemption_ids) for update skip locked
    );
    -- Reports read days from the mark on from the ledger.
    redemption_ids := array(
        select dropping.id from unnest(redemption_ids) as dropping (id)
        where not exists (
            select from redemption_ledger l
            where l.organization_id = own and l.redemption_id = dropping.id and l.redeemed_change <> 0
              and l.at >= coalesce(mark, '-infinity')::timestamp at time zone 'UTC'
        )
    );
    insert into dropped_totals as d (organization_id, dimension, key, day, redeemed, cancelled, discount)
    select own, keyed.dimension, keyed.key, (l.at at time zone 'UTC')::date,
           count(*) filter (where l.redeemed_change > 0), count(*) filter (where l.redeemed_change < 0),
           sum(l.redeemed_change * l.discount)
    from redemption_ledger l
    cross join lateral (values
        ('day', to_char(l.at at time zone 'UTC', 'YYYY-MM-DD')), ('code', l.code),
        ('storeExam', coalesce(l.store_exam_id, l.product_bundle_id)::text), ('partner', l.partner_id::text),
        ('globalCode', case when l.promo_code_owner_id <> own then l.code end)
    ) as keyed (dimension, key)
    where l.organization_id = own and l.redemption_id = any (redemption_ids) and l.redeemed_change <> 0
      and keyed.key is not null
    group by 2, 3, 4
    on conflict (organization_id, dimension, key, day) do update
    set redeemed = d.redeemed + excluded.redeemed, cancelled = d.cancelled + excluded.cancelled,
        discount = d.discount + excluded.discount;
    insert into dropped_uses as d (organization_id, owner_id, used_id, redeemed)
    select own, used.owner_id, used.id, sum(l.redeemed_change)
    from redemption_ledger l
    cross join lateral (values
        (l.promo_code_owner_id, l.promo_code_id), (own, l.voucher_id), (own, l.purchase_id)
    ) as used (owner_id, id)
    where l.organization_id = own and l.redemption_id = any (redemption_ids) and used.id is not null
    group by 2, 3 having sum(l.redeemed_change) <> 0
    on conflict (organization_id, owner_id, used_id) do update set redeemed = d.redeemed + excluded.redeemed;
    delete from record_metadata m
    where m.organization_id = own and m.kind = 'Redemption' and m.record_id = any (redemption_ids);
    delete from redemption_ledger l where l.organization_id = own and l.redemption_id = any (redemption_ids);
    with dropped as (
        delete from redemptions r where r.organization_id = own and r.id = any (redemption_ids)
        returning r.reservation_id
    )
    select reservation_ids || coalesce(array_agg(dropped.reservation_id), '{}') into reservation_ids from dropped;
    -- A transaction that adds a redemption has locked its reservation, and one that begins later waits for this lock. The next
    -- statement sees all redemptions of the locked ones.
    reservation_ids := array(
        select s.id from reservations s
        where s.organization_id = own and s.id = any (reservation_ids) and s.updated_at < kept_since
        for update skip locked
    );
    with dropped as (
        delete from reservations s
        where s.organization_id = own and s.id = any (reservation_ids)
          and not exists (select from redemptions r where r.organization_id = own and r.reservation_id = s.id)
        returning 1
    )
    select cardinality(redemption_ids) + count(*) into size from dropped;
    return size;
end
$$;
revoke all on function drop_redemptions(timestamptz, integer) from public;
grant execute on function drop_redemptions(timestamptz, integer) to tessera_app;
