#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/serve/http_client.h"
#include "t2t/serve/http_parser.h"
#include "t2t/serve/http_server.h"
#include "t2t/serve/socket.h"

namespace t2t {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr auto kRequest = HttpParser::Kind::kRequest;
constexpr auto kResponse = HttpParser::Kind::kResponse;

SteadyTime In(int64_t ms) {
  return std::chrono::steady_clock::now() + milliseconds(ms);
}

// The status that refuses the text, 0 where it is a whole message, -1 where
// more must follow; the same however the bytes are cut.
int StatusOf(const std::string& text, const HttpLimits& limits = {}) {
  HttpParser whole(kRequest, limits);
  whole.Feed(text);
  HttpParser cut(kRequest, limits);
  for (const char c : text) cut.Feed({&c, 1});
  EXPECT_EQ(whole.error_status(), cut.error_status()) << text;
  EXPECT_EQ(whole.error(), cut.error()) << text;
  EXPECT_EQ(whole.done(), cut.done()) << text;
  EXPECT_EQ(whole.message().body, cut.message().body) << text;
  if (whole.error_status() != 0) return whole.error_status();
  return whole.done() ? 0 : -1;
}

std::string Post(const std::string& headers, const std::string& body) {
  return "POST /p HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n" + body;
}

TEST(HttpParserTest, ReadsARequest) {
  const std::string text =
      "\r\nPOST /a/b:c?x=1?2 HTTP/1.1\r\nHost: h\r\nX-Thing: \t two  words \t"
      "\r\nEmpty:\r\nContent-Length: 3\r\n\r\nabc";
  HttpParser parser(kRequest);
  EXPECT_EQ(parser.Feed(text + "GET "), text.size());
  ASSERT_TRUE(parser.done());
  const HttpMessage& message = parser.message();
  EXPECT_EQ(message.method, "POST");
  EXPECT_EQ(message.path, "/a/b:c");
  EXPECT_EQ(message.query, "x=1?2");
  EXPECT_EQ(*message.Header("x-thing"), "two  words");
  EXPECT_EQ(*message.Header("empty"), "");
  EXPECT_EQ(message.Header("none"), nullptr);
  EXPECT_EQ(message.body, "abc");
  EXPECT_TRUE(message.keep_alive);
}

TEST(HttpParserTest, ReadsChunks) {
  HttpParser parser(kRequest);
  parser.Feed(Post("Transfer-Encoding: Chunked\r\n",
                   "3;x=\"y\"\r\nabc\r\n00A\r\n0123456789\r\n0\r\nTrailer: "
                   "x\r\n\r\n"));
  ASSERT_TRUE(parser.done()) << parser.error();
  EXPECT_EQ(parser.message().body, "abc0123456789");
  EXPECT_EQ(parser.message().Header("trailer"), nullptr);
}

TEST(HttpParserTest, KeepsConnectionsAliveAsTheVersionSays) {
  const auto keeps = [](const std::string& version, const std::string& header) {
    HttpParser parser(kRequest);
    parser.Feed("GET / HTTP/" + version + "\r\nHost: h\r\n" + header + "\r\n");
    EXPECT_TRUE(parser.done()) << parser.error();
    return parser.message().keep_alive;
  };
  EXPECT_TRUE(keeps("1.1", ""));
  EXPECT_FALSE(keeps("1.1", "Connection: TE, Close\r\n"));
  EXPECT_FALSE(keeps("1.0", ""));
  EXPECT_TRUE(keeps("1.0", "Connection: Keep-Alive\r\n"));
}

TEST(HttpParserTest, RefusesWhatIsMalformed) {
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
  EXPECT_EQ(StatusOf("GET / HTTP/1.0\r\n\r\n"), 0);
  for (const char* bad :
       {"\r\n\r\n",
        "GET /\r\n",
        "GET  / HTTP/1.1\r\n",
        "GET / HTTP/1.1 \r\n",
        "G\tT / HTTP/1.1\r\n",
        "GET / http/1.1\r\n",
        "GET / HTTP/1.1\n",
        "GET x HTTP/1.1\r\n",
        "GET /\x80 HTTP/1.1\r\n",
        "GET /#a HTTP/1.1\r\n",
        "GET ftp://h/ HTTP/1.1\r\n",
        "GET * HTTP/1.1\r\n",
        "GET /%4 HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : h\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX\r\n",
        "GET / HTTP/1.1\r\n: x\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rb\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: a b\r\n\r\n"}) {
    EXPECT_EQ(StatusOf(bad), 400) << bad;
  }
  EXPECT_EQ(StatusOf(std::string("GET /\0 HTTP/1.1\r\n", 17)), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/2.0\r\n"), 505);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n"), 417);
}

TEST(HttpParserTest, ReadsEveryFormOfATarget) {
  const auto read = [](const std::string& line) {
    HttpParser parser(kRequest);
    parser.Feed(line + " HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(parser.done()) << line << ": " << parser.error();
    const HttpMessage& message = parser.message();
    return message.scheme + "|" + message.path + "|" + message.query;
  };
  EXPECT_EQ(read("GET /a/%7Eb%2f%41?%41"), "|/a/~b%2fA|%41");
  EXPECT_EQ(read("GET hTTp://[::1]:8/a?b"), "http|/a|b");
  EXPECT_EQ(read("GET https://h?b"), "https|/|b");
  EXPECT_EQ(read("OPTIONS *"), "|*|");
  EXPECT_EQ(read("OPTIONS http://h"), "http|*|");
  EXPECT_EQ(read("CONNECT h:80"), "|h:80|");
}

TEST(HttpParserTest, RefusesDoubtfulLengths) {
  EXPECT_EQ(StatusOf(Post("Content-Length: 3\r\n", "ab")), -1);
  for (const char* length : {"+3", "-3", "3,3", "0x3", "", "3 3", "3.0",
                             "99999999999999999999999"}) {
    EXPECT_EQ(StatusOf(Post("Content-Length: " + std::string(length) + "\r\n",
                            "abc")),
              400)
        << length;
  }
  EXPECT_EQ(StatusOf(Post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")),
            400);
  EXPECT_EQ(StatusOf(Post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
                          "abc")),
            400);
  EXPECT_EQ(StatusOf(Post("Transfer-Encoding: gzip, chunked\r\n", "")), 501);
  EXPECT_EQ(
      StatusOf("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"),
      400);
  const auto chunks = [](const std::string& body) {
    return StatusOf(Post("Transfer-Encoding: chunked\r\n", body));
  };
  EXPECT_EQ(chunks("0\r\n\r\n"), 0);
  EXPECT_EQ(chunks("0\r\n"), -1);
  EXPECT_EQ(chunks("3\r\nabcd\r\n"), 400);
  EXPECT_EQ(chunks("3\nabc\r\n"), 400);
  EXPECT_EQ(chunks("-3\r\n"), 400);
  EXPECT_EQ(chunks("\r\n"), 400);
  EXPECT_EQ(chunks("3;" + std::string(300, 'x')), 400);
  EXPECT_EQ(chunks("fffffffffffffffffffff\r\n"), 400);
  EXPECT_EQ(chunks("fffffffff\r\n"), 413);
}

TEST(HttpParserTest, KeepsToItsLimits) {
  HttpLimits limits;
  limits.start_line = 40;
  limits.headers = 60;
  limits.header_count = 3;
  limits.body = 4;
  const auto status = [&](const std::string& text) {
    return StatusOf(text, limits);
  };
  EXPECT_EQ(status(Post("Content-Length: 4\r\n", "abcd")), 0);
  EXPECT_EQ(status(Post("Content-Length: 5\r\n", "")), 413);
  EXPECT_EQ(status(Post("Content-Length: 999999999999999\r\n", "")), 413);
  EXPECT_EQ(status(Post("Transfer-Encoding: chunked\r\n",
                        "2\r\nab\r\n2\r\ncd\r\n1\r\n")),
            413);
  EXPECT_EQ(status("GET /" + std::string(40, 'x')), 414);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: " + std::string(60, 'x')), 431);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: h\r\nA:\r\nB:\r\nC:\r\n"), 431);
  EXPECT_EQ(status(Post("Transfer-Encoding: chunked\r\n",
                        "0\r\nX: " + std::string(60, 'x'))),
            431);
}

TEST(HttpParserTest, ReadsResponses) {
  HttpParser parser(kResponse);
  parser.Feed("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\nno");
  ASSERT_TRUE(parser.done());
  EXPECT_EQ(parser.message().status, 429);
  EXPECT_EQ(parser.message().body, "no");

  HttpParser to_end(kResponse);
  to_end.Feed("HTTP/1.0 200 OK\r\n\r\nab");
  EXPECT_FALSE(to_end.done());
  to_end.FeedEnd();
  EXPECT_TRUE(to_end.done());
  EXPECT_EQ(to_end.message().body, "ab");

  HttpParser cut(kResponse);
  cut.Feed("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab");
  cut.FeedEnd();
  EXPECT_NE(cut.error_status(), 0);
  for (const char* bad : {"HTTP/1.1 20 OK\r\n", "HTTP/1.1 2000 OK\r\n",
                          "HTTP/3 200 OK\r\n", "ICY 200 OK\r\n", "\r\n\r\n"}) {
    HttpParser refuses(kResponse);
    refuses.Feed(bad);
    EXPECT_NE(refuses.error_status(), 0) << bad;
  }
}

// Says what it was asked; "/slow" takes its time, "/throw" throws.
HttpResponse Echo(const HttpMessage& request, const std::function<bool()>&) {
  if (request.path == "/throw") throw std::runtime_error("a secret");
  if (request.path == "/slow") std::this_thread::sleep_for(milliseconds(200));
  HttpResponse response;
  response.body = request.method + " " + request.path + " " + request.body;
  return response;
}

// What the server sends on one connection until it closes it.
std::string Exchange(int port, const std::string& text, int64_t ms = 5000) {
  Socket socket = Connect("127.0.0.1", port, In(1000));
  socket.Write(text, In(1000));
  std::string received;
  while (socket.Read(&received, In(ms)) == Socket::Result::kOk) {
  }
  return received;
}

TEST(HttpServerTest, AnswersManyClientsAtOnce) {
  HttpServer server({}, Echo);
  std::atomic<int> right = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] {
      HttpClient client("127.0.0.1", server.port(), milliseconds(5000));
      for (int j = 0; j < 50; ++j) {
        const std::string body = std::to_string(i * 100 + j);
        const HttpMessage reply = client.Ask("POST", "/p?q", body);
        right += reply.status == 200 && reply.body == "POST /p " + body;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 400);
}

TEST(HttpServerTest, AnswersPipelinedHeadAndOldRequests) {
  HttpServer server({}, Echo);
  const std::string both =
      Exchange(server.port(),
               "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.0\r\n\r\n");
  EXPECT_THAT(both, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(both, HasSubstr("Content-Length: 8\r\n"));
  EXPECT_THAT(both, ::testing::Not(HasSubstr("HEAD /a")));
  EXPECT_THAT(both, HasSubstr("Connection: close\r\n\r\nGET /b "));
}

TEST(HttpServerTest, SaysToGoOn) {
  HttpServer server({}, Echo);
  Socket socket = Connect("127.0.0.1", server.port(), In(1000));
  socket.Write(Post("Expect: 100-continue\r\nContent-Length: 2\r\n", ""),
               In(1000));
  std::string received;
  ASSERT_EQ(socket.Read(&received, In(5000)), Socket::Result::kOk);
  EXPECT_EQ(received, "HTTP/1.1 100 Continue\r\n\r\n");
  socket.Write("ab", In(1000));
  ASSERT_EQ(socket.Read(&received, In(5000)), Socket::Result::kOk);
  EXPECT_THAT(received, HasSubstr("POST /p ab"));
}

TEST(HttpServerTest, RefusesAndCloses) {
  HttpServerOptions options;
  options.limits.body = 10;
  options.header_timeout = milliseconds(300);
  options.body_timeout = milliseconds(300);
  options.idle_timeout = milliseconds(300);
  HttpServer server(options, Echo);
  const int port = server.port();
  EXPECT_THAT(Exchange(port, "nonsense\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Exchange(port, Post("Content-Length: 11\r\n", "")),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(Exchange(port, "GET / HT"), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(Exchange(port, Post("Content-Length: 2\r\n", "a")),
              StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(Exchange(port, ""), "");
  const std::string failed = Exchange(port, "GET /throw HTTP/1.0\r\n\r\n");
  EXPECT_THAT(failed, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(failed, ::testing::Not(HasSubstr("secret")));
  // It goes on serving.
  EXPECT_THAT(Exchange(port, "GET / HTTP/1.0\r\n\r\n"), HasSubstr("200 OK"));
}

TEST(HttpServerTest, LetsABigBodyReadItsRefusal) {
  HttpServerOptions options;
  options.limits.body = 10;
  HttpServer server(options, Echo);
  HttpClient client("127.0.0.1", server.port(), milliseconds(5000));
  EXPECT_EQ(client.Ask("POST", "/", std::string(500000, 'x')).status, 413);
}

TEST(HttpServerTest, TellsTheHandlerThatTheClientHasGone) {
  std::atomic<int> gone = 0;
  std::atomic<int> waiting = 0;
  HttpServer server(
      {}, [&](const HttpMessage&, const std::function<bool()>& is_gone) {
        ++waiting;
        for (int i = 0; i < 300 && gone == 0; ++i) {
          gone += is_gone();
          std::this_thread::sleep_for(milliseconds(1));
        }
        return HttpResponse();
      });
  {
    Socket socket = Connect("127.0.0.1", server.port(), In(1000));
    socket.Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n", In(1000));
    std::string received;
    // It is still there.
    EXPECT_EQ(socket.Read(&received, In(5000)), Socket::Result::kOk);
    EXPECT_EQ(gone, 0);
    socket.Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n", In(1000));
    while (waiting < 2) std::this_thread::sleep_for(milliseconds(1));
  }
  server.Drain(milliseconds(5000));
  EXPECT_EQ(gone, 1);
}

TEST(HttpServerTest, LimitsConnections) {
  HttpServerOptions options;
  options.max_connections = 2;
  HttpServer server(options, Echo);
  HttpClient first("127.0.0.1", server.port(), milliseconds(5000));
  HttpClient second("127.0.0.1", server.port(), milliseconds(5000));
  EXPECT_EQ(first.Ask("GET", "/").status, 200);
  EXPECT_EQ(second.Ask("GET", "/").status, 200);
  EXPECT_THAT(Exchange(server.port(), ""), StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(first.Ask("GET", "/").status, 200);
}

TEST(HttpServerTest, DrainAnswersWhatHasBegun) {
  HttpServer server({}, Echo);
  HttpClient resting("127.0.0.1", server.port(), milliseconds(5000));
  EXPECT_EQ(resting.Ask("GET", "/").status, 200);
  std::string slow;
  std::thread client([&] {
    slow = Exchange(server.port(),
                    "GET /slow HTTP/1.1\r\nHost: h\r\n"
                    "\r\n");
  });
  while (server.connections() < 2) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  server.Drain(milliseconds(5000));
  EXPECT_EQ(server.connections(), 0U);
  client.join();
  EXPECT_THAT(slow, HasSubstr("GET /slow"));
  EXPECT_THAT(slow, HasSubstr("Connection: close"));
  EXPECT_THROW(resting.Ask("GET", "/"), Error);
}

TEST(HttpServerTest, DrainEndsWithoutTheSlow) {
  HttpServer server({}, Echo);
  Socket begun = Connect("127.0.0.1", server.port(), In(1000));
  begun.Write("GET /", In(1000));
  std::this_thread::sleep_for(milliseconds(50));
  const SteadyTime start = std::chrono::steady_clock::now();
  server.Drain(milliseconds(50));
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(3000));
  EXPECT_EQ(server.connections(), 0U);
}

TEST(HttpServerTest, SaysWhyItCantListen) {
  HttpServer server({}, Echo);
  HttpServerOptions options;
  options.port = server.port();
  EXPECT_THROW(HttpServer(options, Echo), Error);
  options.host = "no such host";
  EXPECT_THROW(HttpServer(options, Echo), Error);
}

TEST(HttpClientTest, NamesAnIpv6AddressInBrackets) {
  HttpServerOptions options;
  options.host = "::1";
  std::unique_ptr<HttpServer> server;
  try {
    server = std::make_unique<HttpServer>(options, Echo);
  } catch (const Error&) {
    GTEST_SKIP() << "this machine has no IPv6";
  }
  HttpClient client("::1", server->port(), milliseconds(5000));
  EXPECT_EQ(client.Ask("GET", "/").status, 200);
}

TEST(HttpClientTest, SaysWhyThereIsNoAnswer) {
  int port = 0;
  { const Socket closed = Listen("127.0.0.1", 0, &port); }
  HttpClient nobody("127.0.0.1", port, milliseconds(1000));
  EXPECT_THROW(nobody.Ask("GET", "/"), Error);
  const Socket silent = Listen("127.0.0.1", 0, &port);
  HttpClient waits("127.0.0.1", port, milliseconds(100));
  EXPECT_THROW(waits.Ask("GET", "/"), Error);
}

}  // namespace
}  // namespace t2t
