// Signs a request: go run sign.go ID TIMESTAMP NONCE, the secret in SECRET, the body on stdin.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// sign returns X-Sign. body has the very bytes that are sent; it is empty for a GET.
func sign(secret string, body []byte, counterpartyID, timestamp, nonce string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	if len(body) > 0 {
		mac.Write(body)
		mac.Write([]byte("."))
	}
	mac.Write([]byte(counterpartyID + "." + timestamp + "." + nonce))
	return hex.EncodeToString(mac.Sum(nil))
}

func main() {
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	fmt.Println(sign(os.Getenv("SECRET"), body, os.Args[1], os.Args[2], os.Args[3]))
}
