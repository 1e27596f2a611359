"""A successful request of every operation in the OpenAPI document, built from its documented example."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx
import orjson
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.management_requests import ROOT
from tests.support.voucher_factories import add_program, add_vouchers, voucher
from tests.support.voucher_shops import Shop, furnish

from tessera.api.serving.resources import Resources

Operation = tuple[str, str]

VOUCHERS = f"{ROOT}/vouchers"
ORGANIZATIONS = f"{ROOT}/organizations"
RESERVATIONS = "/storefront/v1/reservations"
PERSONS = f"{ROOT}/persons/"
CODE = "WELCOME"
# Collections that another API lists.
ELSEWHERE = {f"{ROOT}/redemptions": "/storefront/v1/redemptions"}
# Properties whose values are unique within an organization.
UNIQUE = ("name", "code", "promoCodeName", "email", "reservationCode")
# Operations that bring a new resource into the state that an operation requires.
BEFORE: dict[str, Sequence[Sequence[str]]] = {
    "activate": (("accept", "deactivate"), ("deactivate",), ("archive",)),
    "accept": ((),),
    "deactivate": (("accept",), ()),
    "resume": (("cancel",),),
    f"{ROOT}/voucher-purchases/{{voucherPurchaseId}}/archive": (("cancel",),),
    "/storefront/v1/redemptions/{id}/cancel": (("confirm",),),
}
# A list that requires a filter.
FILTERS = {
    "/api/vouchers": {"isUsed": "false"},
    "/api/vouchers/purchases": {"status": "Complete"},
    "/api/v1/promo-codes": {"code": CODE},
    "/promo-codes": {"restrictToEmailAddresses": "true"},
    "/management/v1/metadata": {"kind": "Voucher", "key": "orderId", "value": "ORD-1001"},
    "/management/v1/reports/redemptions": {"from": "2026-06-01", "until": "2026-07-01"},
}


@dataclass
class Journey:
    """The requests of one organization. Two journeys of the same length use the same names and codes."""

    client: httpx.AsyncClient
    shop: Shop
    document: Mapping[str, Any]
    platform: Mapping[str, str]
    count: int = 0
    ids: dict[str, list[str]] = field(default_factory=dict)
    places: dict[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def operations(self) -> list[Operation]:
        """The operations of the APIs that require a credential of the organization, in the order of the document."""
        return [
            (method.upper(), path)
            for path, operations in self.document["paths"].items()
            for method in operations
            if path.startswith(("/management/", "/storefront/", "/api/v", "/promo-codes"))
        ]

    async def prepare(self, path: str) -> dict[str, str]:
        """The parameters of the path, with the id of a new resource in the state that the operation requires."""
        parents = await self._parents(path)
        for step in self._steps(path):
            await self.send("POST", f"{path.rpartition('/')[0]}/{step}", parents)
        return parents

    async def read(self, path: str, query: Mapping[str, str]) -> httpx.Response:
        """The response to a GET with these query parameters."""
        parameters = {**query, **FILTERS.get(path, {})}
        url = path.format(**await self.existing(path))
        return await self.client.get(url, params=parameters, headers=self.headers(path))

    def queries(self, path: str) -> list[dict[str, str]]:
        """No query parameter, and each one of a GET with its documented example."""
        queries: list[dict[str, str]] = [{}]
        for each in self.document["paths"][path]["get"].get("parameters", []):
            examples = [each.get("example"), *each["schema"].get("examples", ()), each["schema"].get("default")]
            example = next((example for example in examples if example is not None), None)
            if each["in"] == "query" and example is not None and each["name"] != "cursor":
                queries.append({each["name"]: str(example)})
        return queries

    def headers(self, path: str) -> dict[str, str]:
        """A credential for the path, and a condition on any version."""
        if path.startswith(ORGANIZATIONS):
            return {**self.platform, "If-Match": "*"}
        if path.startswith(("/storefront/", "/api/v1/")):
            return self.shop.tenant.api_key
        return self.shop.tenant.bearer | {"If-Match": "*"}

    def content(self, method: str, path: str) -> dict[str, Any]:
        """The arguments of the request with the body of an operation, if it has one."""
        self.count += 1
        content = self.document["paths"][path][method.lower()].get("requestBody", {}).get("content", {})
        if path == "/management/v1/voucher-imports":
            file = re.sub("OLD|R-2025", rf"\\g<0>-{self.count}", content["text/csv"]["example"])
            ids = {"partnerId": self.shop.partners["Acme"], "programId": self.shop.programs["Open"]}
            return {"content": file, "params": {name: str(each) for name, each in ids.items()}}
        if "text/csv" in content:
            return {"content": content["text/csv"]["example"].replace("10,", f"{self.count},", 1)}
        if "application/json" not in content:
            return {}
        body = {**content["application/json"]["example"]}
        for name in UNIQUE:
            if name in body and not path.endswith("/tokens"):
                body[name] = f"{self.count}x{body[name]}" if "@" in body[name] else f"{body[name]}{self.count}"
        return {"json": body | self._references(path)}

    def _references(self, path: str) -> dict[str, Any]:
        """Properties that name other resources of the organization."""
        shop = self.shop
        match path:
            case "/api/vouchers/purchases":
                return {"partnerName": "Acme", "programName": "Open"}
            case "/management/v1/voucher-purchases":
                return {"partnerId": str(shop.partners["Acme"]), "programId": str(shop.programs["Priced"])}
            case "/management/v1/vouchers/bulk":
                codes = [{"code": f"T-{number}", "recipientEmail": "ada@example.com"} for number in (1, 2)]
                return {"action": "Assign", "vouchers": codes}
            case "/storefront/v1/redemptions":
                return {"code": CODE}
            case "/storefront/v1/validations":
                return {"codes": [CODE, "T-3", "NOTHING"]}
        return {}

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The body of the response to a request outside the document's examples, which must succeed."""
        headers = self.headers(path) | {"Idempotency-Key": f"{path} {orjson.dumps(body).decode()}"[:200]}
        answer = await self.client.request(method, path, json=body, headers=headers)
        assert answer.is_success, (method, path, body, answer.text)
        return dict(answer.json())

    async def send(self, method: str, path: str, parents: Mapping[str, str]) -> httpx.Response:
        """The response to an operation, which must succeed."""
        content = self.content(method, path)
        url = path.format(**{name: quote(value) for name, value in parents.items()})
        answer = await self.client.request(method, url, headers=self.headers(path), **content)
        assert answer.is_success, (method, path, content, answer.text)
        if answer.status_code == 201 and "id" in answer.json():
            self.ids.setdefault(path, []).append(answer.json()["id"])
            self.places.setdefault(path, parents)
            if path == "/storefront/v1/redemptions":
                self.ids.setdefault(RESERVATIONS, []).append(answer.json()["reservationCode"])
        return answer

    async def existing(self, path: str) -> dict[str, str]:
        """The parameters of the path, with the ids of existing resources."""
        if path.startswith(PERSONS):
            return {"personId": await self._person()}
        parents: dict[str, str] = {}
        for name, collection in self._collections(path):
            if collection not in self.ids:
                answer = await self.client.get(collection, headers=self.headers(collection))
                self.ids[collection] = [each["id"] for each in answer.json()["data"]]
            parents |= {**self.places.get(collection, {}), name: self.ids[collection][0]}
        return parents

    async def _parents(self, path: str) -> dict[str, str]:
        """An id for each parameter of the path, of a resource that was created for this operation."""
        if path.endswith("/assignments"):
            # A purchase that has vouchers.
            return {"voucherPurchaseId": str(self.shop.purchases["Acme"])}
        if path.startswith(PERSONS):
            return {"personId": await self._person()}
        parents: dict[str, str] = {}
        for name, collection in self._collections(path):
            if collection == VOUCHERS:
                parents[name] = self.ids[VOUCHERS].pop()
            else:
                await self.send("POST", collection.replace("reservations", "redemptions"), parents)
                parents[name] = self.ids[collection][-1]
        return parents

    async def _person(self) -> str:
        """The id of a new candidate, whose redemption is in place of that of the example."""
        self.count += 1
        path, person = "/storefront/v1/redemptions", f"PERSON-{self.count}"
        candidate = {"personId": person, "clientCandidateId": "C", "firstName": "P", "lastName": "N"}
        names = {"code": CODE, "reservationCode": f"RSV-OF-{person}", "storeExamCode": "NCA-GENL"}
        await self.request("POST", path, names | {"candidate": candidate})
        return person

    @staticmethod
    def _collections(path: str) -> list[tuple[str, str]]:
        """The name and the collection of each parameter of the path."""
        parts = path.split("/")
        places = [(part[1:-1], "/".join(parts[:n])) for n, part in enumerate(parts) if part.startswith("{")]
        return [(name, ELSEWHERE.get(place, place)) for name, place in places]

    def _steps(self, path: str) -> Sequence[str]:
        resource, _, verb = path.rpartition("/")
        for steps in BEFORE.get(path, BEFORE.get(verb, ((),))):
            if all(f"{resource}/{step}" in self.document["paths"] for step in steps):
                return steps
        raise AssertionError(f"no operation leads to the state that {path} requires")


async def begin_journey(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    document: Mapping[str, Any],
    platform: Mapping[str, str],
) -> Journey:
    """Open a shop with vouchers and a promo code, the same in each organization."""
    shop = await furnish(resources, tenant)
    shop.programs["Priced"] = await add_program(resources, tenant, "Priced", partner_cost_per_voucher=Decimal(10))
    await add_promo_codes(resources, tenant, percent_code(tenant, CODE), now=resources.clock())
    vouchers = [voucher(shop.purchases["Acme"], shop.partners["Acme"], f"T-{number}") for number in range(20)]
    await add_vouchers(resources, tenant, *vouchers)
    journey = Journey(client, shop, document, platform)
    journey.ids[VOUCHERS] = [str(each.id) for each in vouchers[5:]]
    return journey
