// Signs a request: java Sign.java ID TIMESTAMP NONCE, the secret in SECRET, the body on stdin.
import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Sign {
    /** X-Sign. The body has the very bytes that are sent; it is empty for a GET. */
    static String sign(
            String secret, byte[] body, String counterpartyId, String timestamp, String nonce)
            throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(secret.getBytes(UTF_8), "HmacSHA256"));
        if (body.length > 0) {
            mac.update(body);
            mac.update((byte) '.');
        }
        mac.update(String.join(".", counterpartyId, timestamp, nonce).getBytes(UTF_8));
        return HexFormat.of().formatHex(mac.doFinal());
    }

    public static void main(String[] args) throws Exception {
        byte[] body = System.in.readAllBytes();
        System.out.println(sign(System.getenv("SECRET"), body, args[0], args[1], args[2]));
    }
}
