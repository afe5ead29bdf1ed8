// SPDX-License-Identifier: MIT
// Shows the description that this very syncer gives; validatorUrl: it is sent to nobody.
window.SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null });
