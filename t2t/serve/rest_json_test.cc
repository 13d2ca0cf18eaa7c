// The JSON of TF Serving's interface: what is asked and what is answered.

#include "t2t/serve/rest_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/json.h"
#include "t2t/serve/rest_fixture.h"

namespace t2t {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

// Abseil's Base64Unescape, which TF Serving calls.
TEST_F(RestTest, TakesBase64AsTfServingDoes) {
  const auto predict = [&](const std::string& text) {
    return Predict(R"({"instances": [{"b64": ")" + text + R"("}]})");
  };
  const std::string answer = predict("YWI=");
  EXPECT_THAT(answer, HasSubstr("[101, 97, 98, 46]"));  // "eab."
  for (const char* text :
       {"YWI", "YWI.", "YWJ=", " Y W I = ", R"(Y\nWI\n)", R"(\tYWI=\r\n)"}) {
    EXPECT_EQ(predict(text), answer) << text;
  }
  for (const char* bad :
       {"Y", "YQ=", "Y===", "====", "YQ==YQ", "=", "YWJj=", "YW-_", "YQ==="}) {
    EXPECT_THAT(predict(bad), HasSubstr("no base64")) << bad;
  }
}

TEST_F(RestTest, PredictsRows) {
  EXPECT_EQ(Predict(R"({"instances": ["ab", {"input": "c"}]})"),
            R"({"predictions": [{"outputs": [97, 98, 46], "scores": -0.1, )"
            R"("text": "ab."}, {"outputs": [99, 46, 0], "scores": -0.1, )"
            R"("text": "c."}]})");
  // "eab."
  EXPECT_EQ(Predict(R"({"signature_name": "serving_default", )"
                    R"("instances": [{"input": {"b64": "YWI="}}]})"),
            R"({"predictions": [{"outputs": [101, 97, 98, 46], )"
            R"("scores": -0.1}]})");
  EXPECT_EQ(Predict(R"({"instances": [{"b64": "YWI="}]})",
                    "/v1/models/m/versions/1:predict"),
            R"({"predictions": [{"outputs": [101, 97, 98, 46], )"
            R"("scores": -0.1}]})");
}

TEST_F(RestTest, PredictsColumns) {
  EXPECT_EQ(Predict(R"({"inputs": {"input": ["a", "bc"]}})"),
            R"({"outputs": {"outputs": [[97, 46, 0], [98, 99, 46]], )"
            R"("scores": [-0.1, -0.1], "text": ["a.", "bc."]}})");
  EXPECT_EQ(Predict(R"({"inputs": [{"b64": "YQ=="}]})"),
            R"({"outputs": {"outputs": [[101, 97, 46]], "scores": [-0.1]}})");
}

TEST_F(RestTest, PredictsBeams) {
  control_.beams = 2;
  EXPECT_EQ(Predict(R"({"instances": ["a"]})"),
            R"({"predictions": [{"outputs": [[97, 46, 0], [97, 46, 33]], )"
            R"("scores": [-0.1, -1.1], "text": ["a.", "a.!"]}]})");
}

TEST_F(RestTest, SaysWhatIsWrongWithARequest) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "JSON"},
      {"[1]", "no JSON object"},
      {"{}", "either \"instances\" or \"inputs\""},
      {R"({"instances": ["a"], "inputs": ["a"]})", "either"},
      {R"({"instances": "a"})", "no list"},
      {R"({"instances": []})", "0 rows"},
      {R"({"instances": [1]})", "neither a text"},
      {R"({"instances": [{"x": "a"}]})", "by the name \"input\""},
      {R"({"instances": [{"input": "a", "x": "a"}]})", "by the name"},
      {R"({"instances": [{"b64": 1}]})", "no string"},
      {R"({"instances": [{"b64": "?"}]})", "no base64"},
      {R"({"instances": [{"b64": "YmFk"}]})", "row 0: this is no Example"},
      {R"({"instances": ["a"], "signature_name": "x"})", "signature \"x\""},
      {R"({"instances": ["a"], "signature_name": 1})", "wrong type"},
      {R"({"inputs": {"x": ["a"]}})", "by the name \"input\""},
      {R"({"inputs": [{"b64": "YQ"}, {"b64": "?"}]})", "row 1: "},
  };
  for (const auto& [body, error] : cases) {
    const std::string answer = Predict(body);
    EXPECT_THAT(answer, ::testing::StartsWith("400 ")) << body;
    EXPECT_THAT(answer, HasSubstr(error)) << body;
  }
  EXPECT_THAT(Predict("{\"signature_name\": \"\xff\"}"), HasSubstr("\uFFFD"));
  EXPECT_THAT(Predict("{\"instances\": [\"" + std::string(513, 'a') + "\"]}"),
              HasSubstr("513 tokens; at most 512"));
  EXPECT_THAT(Predict(R"({"instances": ["fail"]})"),
              ::testing::StartsWith("500 the model failed"));
  // Many keys take no long time.
  std::string keys = "{";
  for (int i = 0; i < 60000; ++i) keys += "\"" + std::to_string(i) + "\":1,";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(Predict(keys + "\"x\":1}"), HasSubstr("either"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(2000));
}

// Messages and codes are those of tensorflow/serving's http_rest_api_util.cc
// and server_core.cc.
TEST_F(RestTest, AnswersTfServingsClientsAsItDoes) {
  const std::string body = R"({"instances": ["a"]})";
  const auto error = [&](const std::string& method, const std::string& path) {
    const HttpMessage reply = Ask(method, path, method == "POST" ? body : "");
    return std::to_string(reply.status) + " " +
           Json::Parse(reply.body).At("error").AsString();
  };
  EXPECT_EQ(error("GET", "/v1/models"), "400 Missing model name in request.");
  EXPECT_EQ(error("GET", "/v1/models/m/x"),
            "400 Malformed request: GET /v1/models/m/x");
  EXPECT_EQ(error("POST", "/v1/models/m:ask"),
            "400 Malformed request: POST /v1/models/m:ask");
  EXPECT_EQ(error("GET", "/v1/models/m/versions/99999999999999999999"),
            "400 Failed to convert version: 99999999999999999999 to numeric.");
  EXPECT_EQ(error("GET", "/v1/models/x"),
            "404 Could not find any versions of model x");
  EXPECT_EQ(error("GET", "/v1/models/m/versions/9"),
            "404 Could not find version 9 of model m");
  EXPECT_EQ(error("GET", "/v1/models/x/metadata"),
            "404 Servable not found for request: Latest(x)");
  EXPECT_EQ(error("POST", "/v1/models/m/labels/a%20b:predict"),
            "400 Unrecognized servable version label: a b");
  EXPECT_THAT(error("POST", "/v1/models/m:classify"),
              ::testing::StartsWith("400 "));
  EXPECT_THAT(error("POST", "/v1/models/m:regress"),
              ::testing::StartsWith("400 "));
  // Keys that it does not know are ignored, and so is a byte order mark.
  const std::string answer = Predict(body);
  EXPECT_THAT(answer, HasSubstr("\"a.\""));
  EXPECT_EQ(Predict("\xEF\xBB\xBF" + body), answer);
  EXPECT_EQ(Predict(R"({"instances": ["a"], "x": 1, "signature_name": ""})"),
            answer);
  EXPECT_EQ(Predict(body, "/V1/MODELS/%6d:Predict"), answer);
  EXPECT_EQ(Predict(body, "/v1/models/m:predict?x=1"), answer);
  // The columns may have others beside the one that the model wants.
  EXPECT_EQ(Predict(R"({"inputs": {"input": [{"b64": " Y\nQ "}], "x": 1}})"),
            R"({"outputs": {"outputs": [[101, 97, 46]], "scores": [-0.1]}})");
  // Headers in any spelling; what the body is said to be does not matter.
  EXPECT_EQ(Ask("POST", "/v1/models/m:predict", body,
                {{"cOnTeNt-TyPe", "application/x-www-form-urlencoded"},
                 {"ACCEPT", "application/json"}})
                .status,
            200);
}

TEST_F(RestTest, ABadRowRefusesNoOther) {
  const std::string lines = "a\n" + std::string(600, 'x') + "\n\nb\n";
  const HttpMessage reply = Ask("POST", "/translate", lines);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "a.\n\n\nb.\n");
  EXPECT_EQ(*reply.Header("x-t2t-error"),
            "line 2: 600 tokens; at most 512 are taken");
  const HttpMessage all = Ask("POST", "/translate", std::string(600, 'x'));
  EXPECT_EQ(all.status, 400);
  EXPECT_THAT(all.body, HasSubstr("\"line 1: 600 tokens"));
  // A header for each, but not for hundreds.
  std::string many = "a\n";
  for (int i = 0; i < 200; ++i) many += std::string(600, 'x') + "\n";
  const HttpMessage most = Ask("POST", "/translate", many);
  EXPECT_EQ(most.status, 200);
  EXPECT_EQ(most.headers.back().second, "192 more lines");

  EXPECT_EQ(
      Predict(R"({"instances": ["a", {"b64": "YmFk"}, 1, {"b64": "?"}]})"),
      R"({"predictions": [{"outputs": [97, 46], "scores": -0.1, )"
      R"("text": "a."}, {"error": "row 1: this is no Example"}, )"
      R"({"error": "row 2: an input is neither a text nor )"
      R"({\"b64\": \"...\"}"}, {"error": "row 3: a \"b64\" is no )"
      R"(base64"}]})");
  const std::string long_text = "\"" + std::string(600, 'x') + "\"";
  EXPECT_EQ(Predict("{\"inputs\": [" + long_text + ", \"a\"]}"),
            R"({"outputs": {"outputs": [[0, 0], [97, 46]], )"
            R"("scores": [0.0, -0.1], "text": ["", "a."], )"
            R"("error": ["row 0: 600 tokens; at most 512 are taken", ""]}})");
}

TEST_F(RestTest, ARowThatTheModelFailsOnRefusesNoOther) {
  EXPECT_EQ(Predict(R"({"instances": ["fail", "a"]})"),
            R"({"predictions": [{"error": "row 0: the model failed"}, )"
            R"({"outputs": [97, 46], "scores": -0.1, "text": "a."}]})");
  EXPECT_THAT(Predict(R"({"instances": ["fail", "fail"]})"),
              ::testing::StartsWith("500 the model failed"));
  const HttpMessage reply = Ask("POST", "/translate", "fail\na\n");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "\na.\n");
  EXPECT_EQ(*reply.Header("x-t2t-error"), "line 1: the model failed");
}

TEST_F(RestTest, NothingHasNoClass) {
  EXPECT_EQ(Predict(R"({"instances": [" ", "a"]})"),
            R"({"predictions": [{"outputs": [0, 0], "scores": 0.0, )"
            R"("text": ""}, {"outputs": [97, 46], "scores": -0.1, )"
            R"("text": "a."}]})");
  control_.gives_class = true;
  EXPECT_EQ(Predict(R"({"instances": [" ", "a"]})"),
            R"({"predictions": [{"error": "row 0: the input is empty: nothing )"
            R"(has no class"}, {"outputs": [97, 46], "scores": -0.1, )"
            R"("text": "a."}]})");
  EXPECT_THAT(Predict(R"({"instances": [""]})"),
              ::testing::StartsWith("400 row 0: the input is empty"));
  // As a file is decoded.
  EXPECT_EQ(Ask("POST", "/translate", "a\n\nb").body, "a.\n\nb.\n");
}

TEST_F(RestTest, TellsStatusAndMetadata) {
  EXPECT_EQ(Json::Parse(Ask("GET", "/v1/models/m").body).ToString(),
            R"({"model_version_status": [{"version": "1", )"
            R"("state": "AVAILABLE", "status": {"error_code": "OK", )"
            R"("error_message": ""}}]})");
  const Json metadata = Json::Parse(Ask("GET", "/v1/models/m/metadata").body);
  EXPECT_EQ(metadata.At("model_spec").At("version").AsString(), "1");
  const Json& signature = metadata.At("metadata")
                              .At("signature_def")
                              .At("signature_def")
                              .At("serving_default");
  EXPECT_EQ(signature.At("inputs").At("input").At("dtype").AsString(),
            "DT_STRING");
  EXPECT_EQ(signature.At("outputs").At("outputs").At("dtype").AsString(),
            "DT_INT32");
}

}  // namespace
}  // namespace t2t
