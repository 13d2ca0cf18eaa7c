// What RFC 9110 and RFC 9112 ask of an origin server, one situation a row: the
// bytes of a request over a socket to the whole REST interface, and the answer.
// docs/serving.md lists the rules that do not apply.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/strings.h"
#include "t2t/serve/content_coding.h"
#include "t2t/serve/rest_fixture.h"
#include "t2t/serve/socket.h"

namespace t2t {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

SteadyTime In(int64_t ms) {
  return std::chrono::steady_clock::now() + milliseconds(ms);
}

// With the coding's header and trailer: 15 + 16 is gzip, 15 zlib, -15 none.
std::string Compress(const std::string& text, int window = 15 + 16) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY),
            Z_OK);
  std::string bytes(deflateBound(&stream, text.size()), '\0');
  std::string input = text;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  bytes.resize(stream.total_out);
  deflateEnd(&stream);
  return bytes;
}

class HttpRulesTest : public RestTest {
 protected:
  HttpRulesTest() { Start(); }

  Socket Open() const {
    return Connect("127.0.0.1", server_->port(), In(2000));
  }

  // All that the server says to the bytes, and then to the client's closing
  // its side, or until it closes the connection itself.
  std::string Say(const std::string& bytes, bool* server_closed = nullptr) {
    Socket socket = Open();
    socket.Write(bytes, In(5000));
    std::string received;
    Socket::Result result = Socket::Result::kOk;
    // A long wait for the answer, a short one for more behind it.
    int64_t wait = 5000;
    while ((result = socket.Read(&received, In(wait))) == Socket::Result::kOk) {
      wait = 700;
    }
    if (server_closed != nullptr) {
      *server_closed = result == Socket::Result::kClosed;
    }
    return received;
  }
  // The status of the only answer; 0 where there is none.
  int StatusOf(const std::string& bytes, bool* server_closed = nullptr) {
    const std::string answer = Say(bytes, server_closed);
    if (answer.size() < 12) return 0;
    return std::stoi(answer.substr(9, 3));
  }
};

// A request of nothing special, closing so that the test need not wait.
std::string Get(const std::string& target, const std::string& headers = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" +
         headers + "\r\n";
}

std::string Post(const std::string& headers, const std::string& body,
                 const std::string& target = "/translate") {
  return "POST " + target + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" +
         headers + "\r\n" + body;
}

std::string Sized(const std::string& body) {
  return "Content-Length: " + std::to_string(body.size()) + "\r\n";
}

struct Rule {
  const char* where;  // section
  const char* what;
  std::string request;
  int status;
};

TEST_F(HttpRulesTest, RequestLinesAndTargets) {
  const std::string host = "Host: h\r\nConnection: close\r\n\r\n";
  const std::string a = " HTTP/1.1\r\n";
  for (const Rule& rule : std::vector<Rule>{
           {"9112 2.2", "an empty line in front", "\r\n" + Get("/healthz"),
            200},
           {"9112 2.2", "a bare CR", "GET /healthz HTTP/1.1\rHost: h\r\n\r\n",
            400},
           {"9112 2.2", "a blank before the first field",
            "GET /healthz" + a + " Host: h\r\n\r\n", 400},
           {"9112 2.3", "a later minor version",
            "GET /healthz HTTP/1.9\r\n" + host, 200},
           {"9112 2.3", "a name in lower case",
            "GET /healthz http/1.1\r\n" + host, 400},
           {"9110 2.5", "HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            505},
           {"9110 15.6.6", "HTTP/3", "GET / HTTP/3.0\r\n" + host, 505},
           {"9112 3", "a blank in the target", "GET /a b" + a + host, 400},
           {"9112 3", "a long target",
            "GET /" + std::string(9000, 'x') + a + host, 414},
           {"9112 3", "one of 8000 octets is read",
            "GET /" + std::string(7999, 'x') + a + host, 404},
           {"9112 3", "a long method", std::string(9000, 'X') + " /" + a + host,
            501},
           {"9112 3.2.2", "the absolute form",
            "GET HTTP://other.example:80/healthz?x" + a + host, 200},
           {"9110 4.2.3", "no path is /", "GET http://other" + a + host, 200},
           {"9110 4.2.1", "an empty host", "GET http:///healthz" + a + host,
            400},
           {"9110 4.2.4", "userinfo", "GET http://u@h/healthz" + a + host, 400},
           {"9110 7.4", "https without TLS", "GET https://h/healthz" + a + host,
            421},
           {"9110 7.4", "another scheme", "GET ftp://h/healthz" + a + host,
            400},
           {"9112 3.2.4", "the asterisk", "OPTIONS *" + a + host, 204},
           {"9112 3.2.4", "the asterisk of another method", "GET *" + a + host,
            400},
           {"9112 3.2.3", "no authority for GET", "GET h:80" + a + host, 400},
           {"9110 9.3.6", "CONNECT", "CONNECT h:80" + a + host, 501},
           {"9110 9.3.6", "CONNECT to no port", "CONNECT h:" + a + host, 400},
           {"9110 4.2.3", "what needs no encoding", Get("/%68ealth%7A"), 200},
           {"9110 4.2.3", "what does", Get("/v1%2Fmodels/m"), 404},
           {"3986 2.1", "no encoding", Get("/healthz%zz"), 400},
           {"9112 3.2", "a fragment", Get("/healthz#a"), 400},
       }) {
    EXPECT_EQ(StatusOf(rule.request), rule.status)
        << rule.where << ": " << rule.what;
  }
}

// A table: as long as it has rows.
TEST_F(HttpRulesTest, HostAndOtherFields) {
  const std::string line = "GET /healthz HTTP/1.1\r\n";
  const std::string end = "Connection: close\r\n\r\n";
  for (const Rule& rule : std::vector<Rule>{
           {"9112 3.2", "no Host", line + end, 400},
           {"9112 3.2", "two of them", line + "Host: h\r\nHost: h\r\n" + end,
            400},
           {"9112 3.2", "none in the absolute form",
            "GET http://h/healthz HTTP/1.1\r\n" + end, 400},
           {"9112 3.2", "an invalid one", line + "Host: a b\r\n" + end, 400},
           {"9112 3.2", "a path in it", line + "Host: h/x\r\n" + end, 400},
           {"9112 3.2", "a port of letters", line + "Host: h:x\r\n" + end, 400},
           {"9112 3.2", "two in a list", line + "Host: a, b\r\n" + end, 400},
           {"9112 3.2", "an address", line + "Host: [::1]:80\r\n" + end, 200},
           {"9112 3.2", "an empty one", line + "Host:\r\n" + end, 200},
           {"9112 3.2", "none in HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n",
            200},
           {"9112 3.2", "two in HTTP/1.0",
            "GET /healthz HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", 400},
           {"9112 5.1", "a blank before the colon", line + "Host : h\r\n" + end,
            400},
           {"9112 5.2", "a folded field",
            line + "Host: h\r\nX: a\r\n b\r\n" + end, 400},
           {"9110 5.1", "any case", line + "hOsT: h\r\n" + end, 200},
           {"9110 5.5", "a NUL",
            line + "Host: h\r\nX: " + std::string(1, '\0') + "\r\n" + end, 400},
           {"9110 5.5", "a control character",
            line + "Host: h\r\nX: \x01\r\n" + end, 400},
           {"9110 5.5", "bytes above 127",
            line + "Host: h\r\nX: \xC3\xA4\r\n" + end, 200},
           {"9110 5.4", "too long a field",
            line + "Host: h\r\nX: " + std::string(20000, 'x') + "\r\n" + end,
            431},
           {"9110 5.4", "too many fields",
            line + "Host: h\r\n" +
                [] {
                  std::string many;
                  for (int i = 0; i < 200; ++i) many += "X: 1\r\n";
                  return many;
                }() +
                end,
            431},
           {"9110 5.6.1", "empty elements",
            line + "Host: h\r\nConnection: ,, close ,\r\n\r\n", 200},
           {"9110 7.8", "Upgrade is ignored",
            line + "Host: h\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n"
                   "\r\n",
            200},
           {"9110 10.1.1", "an unknown expectation",
            line + "Host: h\r\nExpect: tea\r\n" + end, 417},
           {"9110 10.1.1", "HTTP/1.0 expects nothing",
            "POST /translate HTTP/1.0\r\nExpect: 100-continue\r\n"
            "Content-Length: 1\r\n\r\na",
            200},
           {"9110 14.2", "Range may be ignored",
            Get("/healthz", "Range: bytes=0-0\r\n"), 200},
           {"9110 13.1.1", "If-Match of a version there is not",
            Get("/healthz", "If-Match: \"x\"\r\n"), 412},
           {"9110 13.1.1", "If-Match of any",
            Get("/healthz", "If-Match: *\r\n"), 200},
           {"9110 13.1.2", "If-None-Match of any",
            Get("/healthz", "If-None-Match: *\r\n"), 304},
           {"9110 13.1.2", "If-None-Match of another",
            Get("/healthz", "If-None-Match: \"x\"\r\n"), 200},
           {"9110 13.1.3", "dates, where there are none",
            Get("/healthz",
                "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
            200},
           {"9110 13.2.1", "none for what is not selected",
            Post("If-Match: \"x\"\r\nContent-Length: 1\r\n", "a"), 200},
       }) {
    EXPECT_EQ(StatusOf(rule.request), rule.status)
        << rule.where << ": " << rule.what;
  }
}

// A table: as long as it has rows.
TEST_F(HttpRulesTest, BodiesAndTheirEnds) {
  const auto chunked = [](const std::string& body) {
    return Post("Transfer-Encoding: chunked\r\n", body);
  };
  const auto coded = [](const std::string& codings) {
    return Post("Transfer-Encoding: " + codings + "\r\n", "0\r\n\r\n");
  };
  for (const Rule& rule : std::vector<Rule>{
           {"9112 6.2", "a length", Post("Content-Length: 1\r\n", "a"), 200},
           {"9112 6.2", "no number", Post("Content-Length: x\r\n", "a"), 400},
           {"9112 6.2", "a sign", Post("Content-Length: +1\r\n", "a"), 400},
           {"9112 6.2", "an empty one", Post("Content-Length:\r\n", "a"), 400},
           {"9112 6.2", "beyond 64 bits",
            Post("Content-Length: 18446744073709551617\r\n", "a"), 400},
           {"9112 6.3", "a list", Post("Content-Length: 1, 1\r\n", "a"), 400},
           {"9112 6.3", "two",
            Post("Content-Length: 1\r\nContent-Length: 1\r\n", "a"), 400},
           {"9112 6.3", "two that differ",
            Post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), 400},
           {"9112 6.3", "a length and chunks",
            Post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
                 "0\r\n\r\n"),
            400},
           {"9112 6.3", "a length and a coding without chunks",
            Post("Content-Length: 1\r\nTransfer-Encoding: gzip\r\n", "a"), 400},
           {"9112 5.2", "a folded length",
            Post("Content-Length:\r\n 1\r\n", "a"), 400},
           {"9112 6.3", "no body at all", Get("/healthz"), 200},
           {"9110 15.5.14", "too large",
            Post("Content-Length: 2000000\r\n", ""), 413},
           {"9112 7.1", "chunks", chunked("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"),
            200},
           {"9112 7.1.1", "extensions are ignored",
            chunked("1 ; a=\"b;c\"\r\na\r\n0;x\r\n\r\n"), 200},
           {"9112 7.1.2", "trailers are dropped",
            chunked("1\r\na\r\n0\r\nHost: other\r\nContent-Length: 9\r\n\r\n"),
            200},
           {"9112 7.1.2", "but are fields",
            chunked("1\r\na\r\n0\r\nno field\r\n\r\n"), 400},
           {"9112 7.1.2", "too large trailers",
            chunked("0\r\nX: " + std::string(20000, 'x') + "\r\n\r\n"), 431},
           {"9112 7.1", "a size of many zeros",
            chunked(std::string(1000, '0') + "1\r\na\r\n0\r\n\r\n"), 400},
           {"9112 7.1", "beyond 64 bits",
            chunked("10000000000000001\r\na\r\n0\r\n\r\n"), 400},
           {"9112 7.1", "a blank before the size",
            chunked(" 1\r\na\r\n0\r\n\r\n"), 400},
           {"9112 7.1", "0x", chunked("0x1\r\na\r\n0\r\n\r\n"), 400},
           {"9112 7.1", "no CR", chunked("1\na\r\n0\r\n\r\n"), 400},
           {"9112 6.1", "empty elements",
            Get("/healthz", "Transfer-Encoding: , chunked\r\n") + "0\r\n\r\n",
            200},
           {"9112 6.1", "one that is not known", coded("gzip, chunked"), 501},
           {"9112 6.3", "chunked is not the last", coded("chunked, gzip"), 400},
           {"9112 6.3", "without chunked", coded("gzip"), 400},
           {"9112 6.1", "chunked twice", coded("chunked, chunked"), 400},
           {"9112 6.1", "nothing", coded(""), 400},
           {"9112 6.1", "a parameter", coded("chunked;q=1"), 400},
           {"9112 6.1", "in HTTP/1.0",
            "POST /translate HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
            "1\r\na\r\n0\r\n\r\n",
            400},
       }) {
    // Nobody knows where the next request would begin: the server closes,
    // though the client has not asked for that.
    const std::string request =
        rule.status == 200
            ? rule.request
            : ReplaceAll(rule.request, "Connection: close\r\n", "");
    bool closed = false;
    EXPECT_EQ(StatusOf(request, &closed), rule.status)
        << rule.where << ": " << rule.what;
    EXPECT_TRUE(closed) << rule.what;
  }
}

TEST_F(HttpRulesTest, MethodsAndWhatIsAllowed) {
  const auto ask = [](const std::string& method, const std::string& target) {
    return method + " " + target +
           " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  };
  for (const char* path : {"/", "/healthz", "/readyz", "/metrics",
                           "/v1/models/m", "/v1/models/m/metadata"}) {
    const std::string get = Say(ask("GET", path));
    const std::string head = Say(ask("HEAD", path));
    EXPECT_THAT(get, StartsWith("HTTP/1.1 200 OK\r\n")) << path;
    EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n")) << path;
    // 9110 9.3.2: the same fields, no content.
    EXPECT_EQ(head.size(), head.find("\r\n\r\n") + 4) << path;
    const auto length = [](const std::string& answer) {
      const size_t at = answer.find("Content-Length: ");
      return answer.substr(at, answer.find('\r', at) - at);
    };
    EXPECT_THAT(head, HasSubstr("Content-Length: ")) << path;
    if (path != std::string("/metrics")) {
      EXPECT_EQ(length(get), length(head));
    }
    const std::string post = Say(ask("POST", path));
    EXPECT_THAT(post, StartsWith("HTTP/1.1 405 ")) << path;
    EXPECT_THAT(post, HasSubstr("\r\nAllow: GET, HEAD, OPTIONS\r\n")) << path;
  }
  for (const char* path :
       {"/translate", "/attention", "/v1/models/m:predict"}) {
    for (const char* method :
         {"GET", "HEAD", "PUT", "DELETE", "TRACE", "PATCH"}) {
      const std::string answer = Say(ask(method, path));
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 ")) << method << path;
      EXPECT_THAT(answer, HasSubstr("\r\nAllow: POST, OPTIONS\r\n")) << path;
    }
  }
  // 9110 9.1: methods are case-sensitive.
  EXPECT_EQ(StatusOf(ask("get", "/healthz")), 501);
  EXPECT_EQ(StatusOf(ask("BREW", "/healthz")), 501);
  // 9110 9.3.7, and 8.6: no length with 204.
  const std::string options = Say(ask("OPTIONS", "/translate"));
  EXPECT_THAT(options, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(options, HasSubstr("\r\nAllow: POST, OPTIONS\r\n"));
  EXPECT_THAT(options, Not(HasSubstr("Content-")));
  EXPECT_THAT(Say(ask("OPTIONS", "*")),
              HasSubstr("\r\nAllow: GET, HEAD, POST, OPTIONS\r\n"));
  EXPECT_EQ(StatusOf(ask("OPTIONS", "/none")), 404);
  // 15.4.5: no content with 304. 9.3.2: nor in what HEAD is refused with.
  const std::string unchanged = Say(Get("/", "If-None-Match: *\r\n"));
  EXPECT_THAT(unchanged, StartsWith("HTTP/1.1 304 Not Modified\r\n"));
  EXPECT_EQ(unchanged.size(), unchanged.find("\r\n\r\n") + 4);
  const std::string refused =
      Say("HEAD / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n");
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 417 "));
  EXPECT_EQ(refused.size(), refused.find("\r\n\r\n") + 4);
  // 6.6.1
  EXPECT_THAT(
      refused,
      MatchesRegex("(.|[\r\n])*\r\nDate: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), "
                   "[0-9][0-9] [A-Z][a-z][a-z] 20[0-9][0-9] "
                   "[0-9][0-9]:[0-9][0-9]:[0-9][0-9] GMT\r\n(.|[\r\n])*"));
}

TEST_F(HttpRulesTest, ConnectionsLastAsLongAsTheyShould) {
  const auto last = [&](const std::string& request) {
    bool closed = false;
    EXPECT_THAT(Say(request, &closed), StartsWith("HTTP/1.1 200 ")) << request;
    return !closed;
  };
  const std::string get = "GET /healthz HTTP/1.1\r\nHost: h\r\n";
  EXPECT_TRUE(last(get + "\r\n"));
  EXPECT_FALSE(last(get + "Connection: close\r\n\r\n"));
  EXPECT_FALSE(last(get + "Connection: Foo, CLOSE\r\n\r\n"));
  EXPECT_FALSE(last("GET /healthz HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(last("GET /healthz HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
  // 9112 9.6: what stands behind a request that closes is not read.
  const std::string closes =
      Say(get + "Connection: close\r\n\r\n" + get + "\r\n");
  EXPECT_EQ(closes.find("HTTP/1.1 200"), closes.rfind("HTTP/1.1 200"));
  // 9112 9.3.2: answers in the order of the requests.
  const std::string three =
      Say("POST /translate HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na" +
          get + "\r\n" + Get("/none"));
  EXPECT_LT(three.find("a.\n"), three.find("ok\n"));
  EXPECT_LT(three.find("ok\n"), three.find("HTTP/1.1 404"));
}

TEST_F(HttpRulesTest, SaysToGoOnOrWhyNot) {
  // 9110 10.1.1
  const auto expecting = [](const std::string& headers) {
    return Post("Expect: 100-Continue\r\n" + headers, "");
  };
  {
    Socket socket = Open();
    socket.Write(expecting("Content-Length: 1\r\n"), In(1000));
    std::string received;
    ASSERT_EQ(socket.Read(&received, In(5000)), Socket::Result::kOk);
    EXPECT_EQ(received, "HTTP/1.1 100 Continue\r\n\r\n");
    socket.Write("a", In(1000));
    received.clear();
    ASSERT_EQ(socket.Read(&received, In(5000)), Socket::Result::kOk);
    EXPECT_THAT(received, StartsWith("HTTP/1.1 200 "));
  }
  EXPECT_EQ(StatusOf(expecting("Content-Length: 2000000\r\n")), 413);
  EXPECT_EQ(StatusOf(expecting("Content-Length: 1\r\n"
                               "Content-Encoding: br\r\n")),
            415);
  EXPECT_EQ(StatusOf(expecting("Content-Length: 0\r\n")), 400);
}

TEST_F(HttpRulesTest, TakesContentCodingsOff) {
  const auto coded = [&](const std::string& coding, const std::string& body) {
    return Say(
        Post(Sized(body) + "Content-Encoding: " + coding + "\r\n", body));
  };
  const std::string zipped = Compress("ab\n");
  for (const auto& [coding, body] :
       std::vector<std::pair<std::string, std::string>>{
           {"gzip", zipped},
           {"GZip", zipped},
           {"x-gzip", zipped},
           {"identity, gzip", zipped},
           {", gzip,,", zipped},
           {"identity", "ab\n"},
           {"", "ab\n"},
           {"deflate", Compress("ab\n", 15)},
           {"deflate", Compress("ab\n", -15)},
           {"deflate, gzip", Compress(Compress("ab\n", 15))},
           {"gzip\r\nContent-Encoding: gzip", Compress(zipped)},
           // 1952 2.2: members one after the other
           {"gzip", Compress("a") + Compress("b\n")}}) {
    EXPECT_THAT(coded(coding, body), HasSubstr("\r\n\r\nab.\n")) << coding;
  }
  for (const char* coding : {"br", "compress", "zstd", "gzip, br", "gzip;q=1",
                             "gzip, gzip, gzip, gzip, gzip"}) {
    const std::string answer = coded(coding, zipped);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 415 ")) << coding;
    EXPECT_THAT(answer, HasSubstr("\r\nAccept-Encoding: gzip, deflate\r\n"));
  }
  std::string damaged = zipped;
  damaged[zipped.size() / 2] ^= 0x55;
  for (const std::string& body :
       {std::string("ab\n"), damaged, zipped.substr(0, zipped.size() - 3),
        zipped + "x"}) {
    EXPECT_THAT(coded("gzip", body), StartsWith("HTTP/1.1 400 "));
  }
  EXPECT_THAT(coded("deflate", Compress("ab\n", 15) + "x"),
              StartsWith("HTTP/1.1 400 "));
  // A bomb, and one in another.
  const std::string bomb = Compress(std::string(50 << 20, 'a'));
  EXPECT_LT(bomb.size(), 100000U);
  EXPECT_THAT(coded("gzip", bomb), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(coded("gzip, gzip", Compress(bomb)), StartsWith("HTTP/1.1 413 "));
  // Chunks, as clients send what they compress on the way.
  const std::string chunks =
      Format("%zx\r\n", zipped.size()) + zipped + "\r\n0\r\n\r\n";
  EXPECT_THAT(
      Say(Post("Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n",
               chunks)),
      HasSubstr("\r\n\r\nab.\n"));
  // A body that is not there has no coding.
  EXPECT_EQ(StatusOf(Get("/healthz", "Content-Encoding: gzip\r\n")), 200);
}

TEST(ContentCodingTest, KeepsToItsLimit) {
  std::string body = Compress(std::string(1000, 'a'));
  const std::string zipped = body;
  EXPECT_EQ(DecodeContent({ContentCoding::kGzip}, 999, &body), 413);
  EXPECT_EQ(body, zipped);
  EXPECT_EQ(DecodeContent({ContentCoding::kGzip}, 1000, &body), 0);
  EXPECT_EQ(body, std::string(1000, 'a'));
  body = Compress("");
  EXPECT_EQ(DecodeContent({ContentCoding::kGzip}, 10, &body), 0);
  EXPECT_EQ(body, "");
}

}  // namespace
}  // namespace t2t
