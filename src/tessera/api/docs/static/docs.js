// The page may call only its own origin, which may differ from the public URL.
const here = new URL(".", window.location.href).href.replace(/[/]$/, "");
const REMEMBERED = "tessera.authorization";

// The document of one API is chosen by ?api=name; the links of the page have the known names.
const asked = new URLSearchParams(window.location.search).get("api");
const links = [...document.querySelectorAll("#apis a")];
const nameOf = (link) => new URL(link.href).searchParams.get("api");
const chosen = links.find((link) => nameOf(link) === asked) ?? links[0];
chosen.setAttribute("aria-current", "page");
const api = nameOf(chosen);
const source = api ? `${here}/openapi/${api}.json` : `${here}/openapi.json`;

function adapt(response) {
  if (response.url === source) {
    const spec = JSON.parse(response.text);
    spec.servers = [{ url: here }];
    const client = spec.components.securitySchemes.clientCredentials;
    if (client) client.flows.clientCredentials.tokenUrl = `${here}/oauth/token`;
    Object.values(spec.paths).flatMap(Object.values).forEach(describeExamples);
    response.text = JSON.stringify(spec);
  }
  return response;
}

function omitCredentials(request) {
  // With credentials the browser would show its own password dialog after a 401.
  request.credentials = "omit";
  return request;
}

// Examples of optional parameters move into the descriptions: the page would fill them in as values, and all these
// filters together would match nothing. A list that requires a filter names the one to fill in.
function describeExamples(operation) {
  const filledIn = operation["x-example-filter"];
  for (const parameter of operation.parameters ?? []) {
    if (!parameter.required && parameter.name !== filledIn && parameter.example !== undefined) {
      parameter.description += " Example: `" + parameter.example + "`";
      delete parameter.example;
    }
  }
}

// Credentials live as long as the tab: in sessionStorage, where other tabs and later visits do not find them.
function remember() {
  const save = (_, system) => () =>
    sessionStorage.setItem(REMEMBERED, JSON.stringify(system.authSelectors.authorized().toJS()));
  return { statePlugins: { auth: { wrapActions: { persistAuthorizationIfNeeded: save } } } };
}

function restore() {
  try {
    const authorized = JSON.parse(sessionStorage.getItem(REMEMBERED));
    if (authorized) ui.authActions.restoreAuthorization({ authorized });
  } catch {
    sessionStorage.removeItem(REMEMBERED);
  }
}

// The filter of the page looks at tags only; this one at everything that an operation is called.
function filterOperations({ React }) {
  const textOf = (tag, operation) =>
    [tag, operation.get("method"), operation.get("path"), operation.getIn(["operation", "summary"]),
      operation.getIn(["operation", "operationId"])].join(" ").toLowerCase();

  function matching(tags, phrase) {
    const words = phrase.toLowerCase().split(/\s+/);
    const matches = (tag) => (operation) => words.every((word) => textOf(tag, operation).includes(word));
    return tags
      .map((group, tag) => group.update("operations", (operations) => operations.filter(matches(tag))))
      .filter((group) => group.get("operations").size);
  }

  function Filter({ layoutSelectors, layoutActions, specSelectors }) {
    const filter = layoutSelectors.currentFilter();
    const phrase = typeof filter === "string" ? filter : "";
    const change = ({ target }) => {
      // Matches are shown at once; without a filter, the page is its overview again.
      const isOpen = Boolean(target.value.trim());
      specSelectors.tags().forEach((tag) => layoutActions.show(["operations-tag", tag.get("name")], isOpen));
      layoutActions.updateFilter(target.value);
    };
    const total = specSelectors.operations().size;
    const count = specSelectors.taggedOperations().reduce((sum, group) => sum + group.get("operations").size, 0);
    const shown = phrase.trim() ? `${count} of ${total}` : total;
    const input = { id: "filter", className: "operation-filter-input", type: "search", value: phrase, onChange: change,
      placeholder: "for example: voucher archive", autoComplete: "off", spellCheck: false };
    return React.createElement("div", { className: "filter wrapper" },
      React.createElement("label", { htmlFor: "filter" }, "Find an operation"),
      React.createElement("input", input),
      React.createElement("p", { role: "status" }, `Operations: ${shown}`));
  }

  return { fn: { opsFilter: matching }, components: { FilterContainer: Filter } };
}

const ui = SwaggerUIBundle({
  url: source,
  dom_id: "#page",
  deepLinking: true,
  // The tags are the overview; the whole list of one API is short enough to show at once.
  docExpansion: api && api !== "management" ? "list" : "none",
  filter: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
  plugins: [remember, filterOperations],
  requestInterceptor: omitCredentials,
  responseInterceptor: adapt,
  onComplete: restore
});
