// Requests are signed with a secret, which belongs into no page: so nothing is sent from here.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  supportedSubmitMethods: [],
  validatorUrl: null,
});
