"""Voucher partners, programs, purchases and vouchers; idempotency keys."""

from alembic import op

from migrations import functions, tenancy

revision = "0003"
down_revision = "0002"

TABLES = """
create table voucher_partners (
    organization_id uuid not null constraint voucher_partners_organization_id_fk references organizations (id),
    id uuid not null,
    name text not null,
    name_key text not null generated always as (lower(name)) stored,
    status text not null
        constraint voucher_partners_status_check check (status in ('Active', 'Inactive', 'Archived')),
    created_at timestamptz not null,
    constraint voucher_partners_pk primary key (organization_id, id),
    constraint voucher_partners_organization_id_name_key_key unique (organization_id, name_key)
);
create index voucher_partners_organization_id_status_id_index on voucher_partners (organization_id, status, id);

alter table users add column partner_id uuid;
alter table users add constraint users_organization_id_partner_id_fk
    foreign key (organization_id, partner_id) references voucher_partners (organization_id, id);
create index users_organization_id_partner_id_index on users (organization_id, partner_id) where partner_id is not null;

create table voucher_programs (
    organization_id uuid not null constraint voucher_programs_organization_id_fk references organizations (id),
    id uuid not null,
    name text not null,
    name_key text not null generated always as (lower(name)) stored,
    status text not null
        constraint voucher_programs_status_check check (status in ('Active', 'Inactive', 'Archived')),
    allow_ach_payments boolean not null,
    expiration_period_in_days integer not null
        constraint voucher_programs_expiration_period_check check (expiration_period_in_days between 1 and 36500),
    can_assigned_partners_purchase_zero_price boolean not null,
    is_available_to_all_partners boolean not null,
    partner_cost_per_voucher numeric(12, 2) not null
        constraint voucher_programs_partner_cost_check check (partner_cost_per_voucher >= 0),
    enforce_assigned_email boolean not null,
    voucher_code_prefix text not null
        constraint voucher_programs_prefix_check check (voucher_code_prefix ~ '^[A-Z0-9-]{0,20}$'),
    created_at timestamptz not null,
    constraint voucher_programs_pk primary key (organization_id, id),
    constraint voucher_programs_organization_id_name_key_key unique (organization_id, name_key)
);

create table voucher_program_discounts (
    organization_id uuid not null,
    program_id uuid not null,
    id uuid not null,
    quantity integer not null constraint voucher_program_discounts_quantity_check check (quantity >= 1),
    percent numeric(5, 2) not null
        constraint voucher_program_discounts_percent_check check (percent between 0 and 100),
    constraint voucher_program_discounts_pk primary key (organization_id, id),
    constraint voucher_program_discounts_quantity_key
        unique (organization_id, program_id, quantity),
    constraint voucher_program_discounts_organization_id_program_id_fk
        foreign key (organization_id, program_id) references voucher_programs (organization_id, id)
);

create table voucher_program_store_exams (
    organization_id uuid not null,
    program_id uuid not null,
    store_exam_id uuid not null,
    position integer not null,
    constraint voucher_program_store_exams_pk primary key (organization_id, program_id, store_exam_id),
    constraint voucher_program_store_exams_organization_id_program_id_fk
        foreign key (organization_id, program_id) references voucher_programs (organization_id, id),
    constraint voucher_program_store_exams_organization_id_store_exam_id_fk
        foreign key (organization_id, store_exam_id) references store_exams (organization_id, id)
);
create index voucher_program_store_exams_by_store_exam_index
    on voucher_program_store_exams (organization_id, store_exam_id);

create table voucher_program_partners (
    organization_id uuid not null,
    program_id uuid not null,
    partner_id uuid not null,
    constraint voucher_program_partners_pk primary key (organization_id, program_id, partner_id),
    constraint voucher_program_partners_organization_id_program_id_fk
        foreign key (organization_id, program_id) references voucher_programs (organization_id, id),
    constraint voucher_program_partners_organization_id_partner_id_fk
        foreign key (organization_id, partner_id) references voucher_partners (organization_id, id)
);
create index voucher_program_partners_by_partner_index on voucher_program_partners (organization_id, partner_id, program_id);

create table voucher_program_email_domains (
    organization_id uuid not null,
    program_id uuid not null,
    id uuid not null,
    domain text not null constraint voucher_program_email_domains_domain_check check (domain = lower(domain)),
    constraint voucher_program_email_domains_pk primary key (organization_id, id),
    constraint voucher_program_email_domains_domain_key
        unique (organization_id, program_id, domain),
    constraint voucher_program_email_domains_organization_id_program_id_fk
        foreign key (organization_id, program_id) references voucher_programs (organization_id, id)
);

create table voucher_purchases (
    organization_id uuid not null,
    id uuid not null,
    partner_id uuid not null,
    program_id uuid not null,
    code text not null,
    status text not null constraint voucher_purchases_status_check check (status in (
        'CheckoutInProgress', 'CheckoutCancelled', 'CheckoutExpired', 'CheckoutFailed', 'VoucherCreation', 'Complete'
    )),
    quantity integer not null constraint voucher_purchases_quantity_check check (quantity between 1 and 1000),
    quantity_used integer not null
        constraint voucher_purchases_quantity_used_check check (quantity_used between 0 and quantity),
    amount_paid numeric(14, 2) not null constraint voucher_purchases_amount_paid_check check (amount_paid >= 0),
    notes text not null,
    is_archived boolean not null,
    purchased_by_first_name text not null,
    purchased_by_last_name text not null,
    purchased_by_email text,
    purchased_by_email_key text generated always as (lower(purchased_by_email collate "C")) stored,
    purchased_at timestamptz not null,
    constraint voucher_purchases_pk primary key (organization_id, id),
    constraint voucher_purchases_organization_id_code_key unique (organization_id, code),
    constraint voucher_purchases_organization_id_partner_id_fk
        foreign key (organization_id, partner_id) references voucher_partners (organization_id, id),
    constraint voucher_purchases_organization_id_program_id_fk
        foreign key (organization_id, program_id) references voucher_programs (organization_id, id)
);
create index voucher_purchases_by_status_index on voucher_purchases (organization_id, status, partner_id, id);
create index voucher_purchases_by_partner_index on voucher_purchases (organization_id, partner_id, status, id);
create index voucher_purchases_by_program_index on voucher_purchases (organization_id, program_id, partner_id, id);
create index voucher_purchases_by_email_index
    on voucher_purchases (organization_id, purchased_by_email_key, partner_id, id)
    where purchased_by_email_key is not null;

create table voucher_code_spaces (
    organization_id uuid not null constraint voucher_code_spaces_organization_id_fk references organizations (id),
    prefix text not null,
    issued bigint not null,
    constraint voucher_code_spaces_pk primary key (organization_id, prefix)
);

create table vouchers (
    organization_id uuid not null,
    id uuid not null,
    purchase_id uuid not null,
    partner_id uuid not null,
    code text not null,
    is_active boolean not null,
    is_used boolean not null generated always as (used_at is not null) stored,
    expires_at timestamptz not null,
    assigned_at timestamptz,
    recipient_email text,
    recipient_email_key text generated always as (lower(recipient_email collate "C")) stored,
    reservation_code text,
    reservation_status text constraint vouchers_reservation_status_check check (
        reservation_status in ('Created', 'Rescheduled', 'Completed', 'NoShow', 'Cancelled')
    ),
    store_exam_id uuid,
    used_at timestamptz,
    used_by_person_id text,
    used_by_client_candidate_id text,
    used_by_first_name text,
    used_by_last_name text,
    constraint vouchers_pk primary key (organization_id, id),
    constraint vouchers_organization_id_code_key unique (organization_id, code),
    constraint vouchers_organization_id_purchase_id_fk
        foreign key (organization_id, purchase_id) references voucher_purchases (organization_id, id),
    constraint vouchers_organization_id_store_exam_id_fk
        foreign key (organization_id, store_exam_id) references store_exams (organization_id, id),
    constraint vouchers_assigned_check check ((assigned_at is null) = (recipient_email is null)),
    constraint vouchers_reservation_check check ((reservation_code is null) = (reservation_status is null)),
    constraint vouchers_used_check check (
        used_at is null or num_nulls(used_by_person_id, used_by_client_candidate_id, used_by_first_name,
                                     used_by_last_name, reservation_code, store_exam_id) = 0
    )
);
create index vouchers_by_state_index on vouchers (organization_id, is_active, is_used, partner_id, id);
create index vouchers_by_partner_index on vouchers (organization_id, partner_id, is_active, is_used, id);
create index vouchers_by_purchase_index on vouchers (organization_id, purchase_id, partner_id, id);
create index vouchers_by_recipient_index on vouchers (organization_id, recipient_email_key, partner_id, id)
    where recipient_email_key is not null;
create index vouchers_by_reservation_index on vouchers (organization_id, reservation_code, id)
    where reservation_code is not null;
create index vouchers_by_store_exam_index on vouchers (organization_id, store_exam_id, partner_id, id)
    where store_exam_id is not null;

create table idempotency_keys (
    organization_id uuid not null constraint idempotency_keys_organization_id_fk references organizations (id),
    caller_id uuid not null,
    key text not null,
    request_digest bytea not null,
    status integer not null,
    body bytea not null,
    created_at timestamptz not null,
    constraint idempotency_keys_pk primary key (organization_id, caller_id, key)
);
create index idempotency_keys_organization_id_created_at_index on idempotency_keys (organization_id, created_at);
create index idempotency_keys_created_at_index on idempotency_keys (created_at);
"""

PARTNER = tenancy.CURRENT_PARTNER
# The conditions for users of a partner, in addition to the tenant policy; they apply only with a pinned partner.
PARTNER_CONDITIONS = {
    "voucher_partners": f"id = {PARTNER}",
    "users": f"partner_id = {PARTNER}",
    # A partner still sees a program that was closed to it, because its purchases refer to the program. OFFSET 0 makes
    # the planner look up one program; without it, the planner may read all purchases of the partner instead.
    "voucher_programs": (
        "is_available_to_all_partners or exists (select from voucher_program_partners assigned"
        " where assigned.organization_id = voucher_programs.organization_id"
        f" and assigned.program_id = voucher_programs.id and assigned.partner_id = {PARTNER})"
        " or exists (select from voucher_purchases bought"
        " where bought.organization_id = voucher_programs.organization_id"
        f" and bought.program_id = voucher_programs.id and bought.partner_id = {PARTNER} offset 0)"
    ),
    "voucher_program_partners": f"partner_id = {PARTNER}",
    "voucher_purchases": f"partner_id = {PARTNER}",
    "vouchers": f"partner_id = {PARTNER}",
} | {
    table: (
        f"exists (select from voucher_programs program where program.organization_id = {table}.organization_id"
        f" and program.id = {table}.program_id)"
    )
    for table in ("voucher_program_discounts", "voucher_program_store_exams", "voucher_program_email_domains")
}

# Partners never see credentials, and only the organization may change what partners share.
CLOSED_TO_PARTNERS = ("api_clients", "api_keys", "issued_tokens", "voucher_code_spaces")
READ_BY_PARTNERS = (
    "organizations",
    "users",
    "store_exams",
    "product_bundles",
    "product_bundle_store_exams",
    "voucher_partners",
    "voucher_programs",
    "voucher_program_discounts",
    "voucher_program_store_exams",
    "voucher_program_partners",
    "voucher_program_email_domains",
)

NEW_TABLES = (
    "voucher_partners",
    "voucher_programs",
    "voucher_program_discounts",
    "voucher_program_store_exams",
    "voucher_program_partners",
    "voucher_program_email_domains",
    "voucher_purchases",
    "voucher_code_spaces",
    "vouchers",
    "idempotency_keys",
)

# No statistics on the tenant and the partner. With them, the planner assumes that a tenant missing from the statistics
# has no rows, and then finds a single row through any index that starts with the tenant, reading all of its rows.
WITHOUT_STATISTICS = {
    "voucher_partners": ("organization_id",),
    "voucher_programs": ("organization_id",),
    "voucher_purchases": ("organization_id", "partner_id", "program_id"),
    "vouchers": ("organization_id", "partner_id"),
}


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table in NEW_TABLES:
        tenancy.lock(table)
    for table, columns in WITHOUT_STATISTICS.items():
        for column in columns:
            op.execute(f"alter table {table} alter column {column} set statistics 0")
    _lock_partners()
    op.execute("create policy owner_deletes on idempotency_keys for delete to tessera_owner using (true)")
    functions.install("delete_idempotency_keys", 1)
    functions.install("list_unfinished_purchases", 1)


def _lock_partners() -> None:
    for table, condition in PARTNER_CONDITIONS.items():
        tenancy.lock_partner(table, condition)
    for table in CLOSED_TO_PARTNERS:
        tenancy.close_to_partners(table)
    for table in READ_BY_PARTNERS:
        tenancy.close_writes_to_partners(table)


def downgrade() -> None:
    op.execute("drop function delete_idempotency_keys(timestamptz), list_unfinished_purchases(timestamptz)")
    for table in CLOSED_TO_PARTNERS[:3]:
        op.execute(f"drop policy partner on {table}")
    for table in READ_BY_PARTNERS[:5]:
        for action in ("insert", "update", "delete"):
            op.execute(f"drop policy partner_{action} on {table}")
    op.execute("drop policy partner on users")
    op.execute("alter table users drop column partner_id")
    op.execute(f"drop table {', '.join(NEW_TABLES)}")
