-- What `tessera distribute` changes besides the distribution itself: the policies that look for the partners of a program become
-- policies on a column, because a distributed table has no policy with a sub-select. The last release does not write the
-- column, so a migration can do the same only after the next release. A partner goes on seeing a program that it has
-- bought; the id of only zeros stands for every partner.
alter table voucher_programs no force row level security;
update voucher_programs t set visible_to = array(
    select '00000000-0000-0000-0000-000000000000'::uuid where t.is_available_to_all_partners union
    select a.partner_id from voucher_program_partners a
    where a.organization_id = t.organization_id and a.program_id = t.id union
    select b.partner_id from voucher_purchases b where b.organization_id = t.organization_id and b.program_id = t.id
);
alter table voucher_program_discounts no force row level security;
update voucher_program_discounts t set visible_to = g.visible_to
from voucher_programs g where g.organization_id = t.organization_id and g.id = t.program_id;
alter table voucher_program_store_exams no force row level security;
update voucher_program_store_exams t set visible_to = g.visible_to
from voucher_programs g where g.organization_id = t.organization_id and g.id = t.program_id;
alter table voucher_program_email_domains no force row level security;
update voucher_program_email_domains t set visible_to = g.visible_to
from voucher_programs g where g.organization_id = t.organization_id and g.id = t.program_id;
alter table voucher_programs force row level security;
alter policy partner on voucher_programs using (
    coalesce(current_setting('app.partner_id', true), '') = ''
    or visible_to && array[
        nullif(current_setting('app.partner_id', true), '')::uuid, '00000000-0000-0000-0000-000000000000'::uuid
    ]
);
alter table voucher_program_discounts force row level security;
alter policy partner on voucher_program_discounts using (
    coalesce(current_setting('app.partner_id', true), '') = ''
    or visible_to && array[
        nullif(current_setting('app.partner_id', true), '')::uuid, '00000000-0000-0000-0000-000000000000'::uuid
    ]
);
alter table voucher_program_store_exams force row level security;
alter policy partner on voucher_program_store_exams using (
    coalesce(current_setting('app.partner_id', true), '') = ''
    or visible_to && array[
        nullif(current_setting('app.partner_id', true), '')::uuid, '00000000-0000-0000-0000-000000000000'::uuid
    ]
);
alter table voucher_program_email_domains force row level security;
alter policy partner on voucher_program_email_domains using (
    coalesce(current_setting('app.partner_id', true), '') = ''
    or visible_to && array[
        nullif(current_setting('app.partner_id', true), '')::uuid, '00000000-0000-0000-0000-000000000000'::uuid
    ]
);
