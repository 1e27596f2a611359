"""Organizations, callers, catalog and promo codes."""

from alembic import op

from migrations import functions, tenancy

revision = "0001"
down_revision = None

TABLES = """
create table organizations (
    id uuid constraint organizations_pk primary key,
    name text not null,
    name_key text not null generated always as (lower(name)) stored,
    is_active boolean not null,
    created_at timestamptz not null,
    constraint organizations_name_key_key unique (name_key)
);

create table users (
    organization_id uuid not null constraint users_organization_id_fk references organizations (id),
    id uuid not null,
    email text not null,
    email_key text not null generated always as (lower(email collate "C")) stored,
    first_name text not null,
    last_name text not null,
    function_points text[] not null,
    is_active boolean not null,
    created_at timestamptz not null,
    constraint users_pk primary key (organization_id, id),
    constraint users_organization_id_email_key_key unique (organization_id, email_key)
);

create table api_clients (
    organization_id uuid not null constraint api_clients_organization_id_fk references organizations (id),
    id uuid not null,
    name text not null,
    secret_digest bytea not null,
    function_points text[] not null,
    created_at timestamptz not null,
    revoked_at timestamptz,
    constraint api_clients_pk primary key (organization_id, id),
    constraint api_clients_organization_id_name_key unique (organization_id, name)
);

create table api_keys (
    organization_id uuid not null constraint api_keys_organization_id_fk references organizations (id),
    id uuid not null,
    name text not null,
    key_digest bytea not null,
    function_points text[] not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    constraint api_keys_pk primary key (organization_id, id)
);

create table issued_tokens (
    organization_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    constraint issued_tokens_pk primary key (organization_id, id),
    constraint issued_tokens_organization_id_user_id_fk foreign key (organization_id, user_id)
        references users (organization_id, id)
);

create table store_exams (
    organization_id uuid not null constraint store_exams_organization_id_fk references organizations (id),
    id uuid not null,
    code text not null,
    code_key text not null generated always as (lower(code collate "C")) stored,
    name text not null,
    price numeric(12, 2) not null constraint store_exams_price_check check (price >= 0),
    created_at timestamptz not null,
    constraint store_exams_pk primary key (organization_id, id),
    constraint store_exams_organization_id_code_key_key unique (organization_id, code_key)
);

create table product_bundles (
    organization_id uuid not null constraint product_bundles_organization_id_fk references organizations (id),
    id uuid not null,
    name text not null,
    price numeric(12, 2) not null constraint product_bundles_price_check check (price >= 0),
    created_at timestamptz not null,
    constraint product_bundles_pk primary key (organization_id, id)
);

create table product_bundle_store_exams (
    organization_id uuid not null,
    product_bundle_id uuid not null,
    store_exam_id uuid not null,
    constraint product_bundle_store_exams_pk primary key (organization_id, product_bundle_id, store_exam_id),
    constraint product_bundle_store_exams_organization_id_product_bundle_id_fk
        foreign key (organization_id, product_bundle_id) references product_bundles (organization_id, id),
    constraint product_bundle_store_exams_organization_id_store_exam_id_fk
        foreign key (organization_id, store_exam_id) references store_exams (organization_id, id)
);
create index product_bundle_store_exams_organization_id_store_exam_id_index
    on product_bundle_store_exams (organization_id, store_exam_id);

create table promo_codes (
    organization_id uuid not null constraint promo_codes_organization_id_fk references organizations (id),
    id uuid not null,
    name text not null,
    name_key text not null generated always as (lower(name collate "C")) stored,
    status text not null
        constraint promo_codes_status_check check (status in ('Inactive', 'Active', 'Archived')),
    discount_percent integer
        constraint promo_codes_discount_percent_check check (discount_percent between 1 and 100),
    flat_discount numeric(12, 2) constraint promo_codes_flat_discount_check check (flat_discount > 0),
    expires_at timestamptz,
    max_redemptions integer constraint promo_codes_max_redemptions_check check (max_redemptions >= 1),
    max_redemptions_per_candidate integer,
    redemption_count integer not null,
    restrict_to_email_addresses boolean not null,
    has_store_exams boolean not null,
    has_product_bundles boolean not null,
    is_listed boolean not null generated always as (
        discount_percent is not null and has_store_exams and expires_at is not null and max_redemptions is not null
    ) stored,
    notes text,
    created_at timestamptz not null,
    constraint promo_codes_pk primary key (organization_id, id),
    constraint promo_codes_organization_id_name_key_key unique (organization_id, name_key),
    constraint promo_codes_percent_xor_flat_check check ((discount_percent is null) <> (flat_discount is null)),
    constraint promo_codes_max_redemptions_per_candidate_check
        check (max_redemptions_per_candidate between 1 and max_redemptions),
    constraint promo_codes_uses_check
        check (redemption_count between 0 and coalesce(max_redemptions, redemption_count))
);
create index promo_codes_listed_index
    on promo_codes (organization_id, status, restrict_to_email_addresses, id) where is_listed;

create table promo_code_store_exams (
    organization_id uuid not null,
    promo_code_id uuid not null,
    store_exam_id uuid not null,
    position integer not null,
    constraint promo_code_store_exams_pk primary key (organization_id, promo_code_id, store_exam_id),
    constraint promo_code_store_exams_organization_id_promo_code_id_fk
        foreign key (organization_id, promo_code_id) references promo_codes (organization_id, id),
    constraint promo_code_store_exams_organization_id_store_exam_id_fk
        foreign key (organization_id, store_exam_id) references store_exams (organization_id, id)
);
create index promo_code_store_exams_by_store_exam_index
    on promo_code_store_exams (organization_id, store_exam_id, promo_code_id);

create table promo_code_product_bundles (
    organization_id uuid not null,
    promo_code_id uuid not null,
    product_bundle_id uuid not null,
    constraint promo_code_product_bundles_pk primary key (organization_id, promo_code_id, product_bundle_id),
    constraint promo_code_product_bundles_organization_id_promo_code_id_fk
        foreign key (organization_id, promo_code_id) references promo_codes (organization_id, id),
    constraint promo_code_product_bundles_organization_id_product_bundle_id_fk
        foreign key (organization_id, product_bundle_id) references product_bundles (organization_id, id)
);
create index promo_code_product_bundles_by_product_bundle_index
    on promo_code_product_bundles (organization_id, product_bundle_id);

create table promo_code_email_addresses (
    organization_id uuid not null,
    promo_code_id uuid not null,
    email_key text not null,
    email text not null,
    position integer not null,
    constraint promo_code_email_addresses_pk primary key (organization_id, promo_code_id, email_key),
    constraint promo_code_email_addresses_organization_id_promo_code_id_fk
        foreign key (organization_id, promo_code_id) references promo_codes (organization_id, id)
);
create index promo_code_email_addresses_by_email_index
    on promo_code_email_addresses (organization_id, email_key, promo_code_id);
"""

TENANT_TABLES = (
    "users",
    "api_clients",
    "api_keys",
    "issued_tokens",
    "store_exams",
    "product_bundles",
    "product_bundle_store_exams",
    "promo_codes",
    "promo_code_store_exams",
    "promo_code_product_bundles",
    "promo_code_email_addresses",
)


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    tenancy.lock("organizations", column="id")
    for table in TENANT_TABLES:
        tenancy.lock(table)
    functions.install("list_organizations", 1)
    functions.install("find_promo_code_usability", 1)


def downgrade() -> None:
    op.execute("drop function find_promo_code_usability(uuid[], uuid[], text[], uuid[], bytea[])")
    op.execute("drop function list_organizations()")
    for table in reversed(("organizations", *TENANT_TABLES)):
        op.execute(f"drop table {table}")
