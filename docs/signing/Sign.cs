// Signs a request: dotnet run Sign.cs ID TIMESTAMP NONCE, the secret in SECRET, the body on stdin.
// (.NET 10 or newer runs a single file.)
using System.Security.Cryptography;
using System.Text;

using var input = new MemoryStream();
Console.OpenStandardInput().CopyTo(input);
var secret = Environment.GetEnvironmentVariable("SECRET")!;
Console.WriteLine(Sign(secret, input.ToArray(), args[0], args[1], args[2]));

// X-Sign. The body has the very bytes that are sent; it is empty for a GET.
static string Sign(string secret, byte[] body, string counterpartyId, string timestamp, string nonce)
{
    using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(secret));
    if (body.Length > 0)
    {
        hmac.AppendData(body);
        hmac.AppendData("."u8);
    }
    hmac.AppendData(Encoding.UTF8.GetBytes($"{counterpartyId}.{timestamp}.{nonce}"));
    return Convert.ToHexString(hmac.GetHashAndReset()).ToLowerInvariant();
}
