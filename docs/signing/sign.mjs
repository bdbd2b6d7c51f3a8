// Signs a request: node sign.mjs ID TIMESTAMP NONCE, the secret in SECRET, the body on stdin.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

// `body` is a Buffer with the very bytes that are sent; it is empty for a GET.
export function sign(secret, body, counterpartyId, timestamp, nonce) {
  const hmac = createHmac("sha256", secret);
  if (body.length > 0) hmac.update(body).update(".");
  return hmac.update([counterpartyId, timestamp, nonce].join(".")).digest("hex");
}

console.log(sign(process.env.SECRET, readFileSync(0), ...process.argv.slice(2, 5)));
