#ifndef T2T_SERVE_SERVABLE_H_
#define T2T_SERVE_SERVABLE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace t2t {

// What a model says to one row: hypotheses, best first.
struct Prediction {
  struct Hypothesis {
    std::vector<int64_t> ids;
    float score = 0;
  };
  std::vector<Hypothesis> hypotheses;
};

// A loaded model, as the server sees it. All but Predict() may be called by
// several threads at once.
class Servable {
 public:
  using Ids = std::vector<int64_t>;

  virtual ~Servable() = default;

  // "transformer on translate_ende_multi30k"
  virtual std::string Description() const = 0;
  // A text's ids as Predict() takes them; none where nothing is to be said.
  virtual Ids Encode(std::string_view text) const = 0;
  // The same of a serialized tf.Example. Throws a DataError where it is none,
  // or its ids can't be the model's.
  virtual Ids EncodeExample(std::string_view bytes) const = 0;
  virtual std::string Decode(const Ids& ids) const = 0;
  // One prediction a row.
  virtual std::vector<Prediction> Predict(const std::vector<Ids>& rows) = 0;
  // Hypotheses a row, where T2T's export has an axis for them; else 0 (one).
  virtual int64_t beams() const { return 0; }
  // The type of T2T's outputs: beam search gives int32, the rest int64.
  virtual bool gives_int32() const { return true; }
};

}  // namespace t2t

#endif  // T2T_SERVE_SERVABLE_H_
