#include "t2t/checkpoint/tensor_place.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/base/rng.h"

namespace t2t {
namespace {

// Where each of a place's numbers lies in the flattened whole, found by looking
// at every number.
std::vector<int64_t> Listed(const TensorPlace& place) {
  int64_t total = 1;
  for (const int64_t extent : place.shape) total *= extent;
  std::vector<int64_t> slice;
  for (int64_t i = 0; i < total; ++i) {
    int64_t rest = i;
    bool in_slice = true;
    for (size_t dim = place.shape.size(); dim-- > 0;) {
      const int64_t at = rest % place.shape[dim];
      rest /= place.shape[dim];
      if (place.cut && static_cast<int64_t>(dim) == place.cut->dim) {
        in_slice =
            at >= place.cut->begin && at < place.cut->begin + place.cut->size;
      }
    }
    if (in_slice) slice.push_back(i);
  }
  return {slice.begin() + place.begin,
          slice.begin() + place.begin + place.size};
}

int64_t Draw(Rng* rng, int64_t most) {
  return static_cast<int64_t>(rng->Below(static_cast<uint64_t>(most) + 1));
}

TensorPlace DrawPlace(const std::vector<int64_t>& shape, Rng* rng) {
  std::optional<TensorPlace::Cut> cut;
  if (!shape.empty() && Draw(rng, 3) > 0) {
    cut.emplace();
    cut->dim = Draw(rng, static_cast<int64_t>(shape.size()) - 1);
    const int64_t extent = shape[static_cast<size_t>(cut->dim)];
    cut->begin = Draw(rng, extent);
    cut->size = Draw(rng, extent - cut->begin);
  }
  TensorPlace place = TensorPlace::All(shape, cut);
  const int64_t all = place.size;
  place.begin = Draw(rng, all);
  place.size = Draw(rng, all - place.begin);
  return place;
}

TEST(TensorPlaceTest, CopiesWhatTwoPlacesHaveInCommon) {
  Rng rng(3);
  const std::vector<std::vector<int64_t>> shapes = {
      {}, {7}, {3, 5}, {4, 3, 5}, {2, 3, 2, 4}, {3, 0, 2}, {1, 6}};
  for (int round = 0; round < 3000; ++round) {
    const auto& shape = shapes[static_cast<size_t>(round) % shapes.size()];
    const TensorPlace from = DrawPlace(shape, &rng);
    const TensorPlace to = DrawPlace(shape, &rng);
    const std::vector<int64_t> source = Listed(from);
    const std::vector<int64_t> listed = Listed(to);
    std::vector<int64_t> expected(listed.size(), -1);
    int64_t count = 0;
    for (size_t i = 0; i < listed.size(); ++i) {
      if (!std::binary_search(source.begin(), source.end(), listed[i])) {
        continue;
      }
      expected[i] = listed[i];
      ++count;
    }
    std::vector<int64_t> target(listed.size(), -1);
    ASSERT_EQ(CopyCommon(from, source.data(), to, target.data(), 8), count);
    ASSERT_EQ(CountCommon(to, from), count);
    ASSERT_EQ(target, expected)
        << from.ToJson().ToString() << " to " << to.ToJson().ToString();
    const auto again =
        TensorPlace::FromJson(Json::Parse(from.ToJson().ToString()), from.size);
    ASSERT_TRUE(again.has_value()) << from.ToJson().ToString();
    EXPECT_EQ(Listed(*again), source);
  }
}

TEST(TensorPlaceTest, EachNumberExactlyOnce) {
  using Cut = TensorPlace::Cut;
  const std::vector<int64_t> shape = {4, 6};
  const auto run = [&](Cut cut, int64_t begin, int64_t size) {
    return TensorPlace{shape, begin, size, cut};
  };
  const TensorPlace left = TensorPlace::All(shape, Cut{1, 0, 2});
  const TensorPlace right = TensorPlace::All(shape, Cut{1, 2, 4});
  EXPECT_TRUE(CoverExactly({TensorPlace::All(shape)}));
  EXPECT_TRUE(CoverExactly({right, left}));
  // Parts cut again, and parts along another dimension.
  EXPECT_TRUE(CoverExactly({run({1, 2, 4}, 7, 9), left, run({1, 2, 4}, 0, 7)}));
  EXPECT_TRUE(CoverExactly(
      {run({0, 0, 1}, 0, 6), run({0, 1, 3}, 5, 13), run({0, 1, 3}, 0, 5)}));
  EXPECT_TRUE(CoverExactly({TensorPlace::All({})}));
  EXPECT_TRUE(CoverExactly({TensorPlace::All({3, 0})}));

  EXPECT_FALSE(CoverExactly({}));
  EXPECT_FALSE(CoverExactly({left}));
  EXPECT_FALSE(CoverExactly({right}));
  EXPECT_FALSE(CoverExactly({left, right, left}));
  // As many numbers as there are, but some twice.
  EXPECT_FALSE(CoverExactly({TensorPlace::All(shape, Cut{1, 0, 3}),
                             TensorPlace::All(shape, Cut{1, 2, 3})}));
  EXPECT_FALSE(
      CoverExactly({left, run({1, 2, 4}, 0, 8), run({1, 2, 4}, 7, 8)}));
  EXPECT_FALSE(CoverExactly({left, run({1, 2, 4}, 0, 15)}));
}

TEST(TensorPlaceTest, WhatIsNoPlace) {
  const auto is_place = [](const char* text, int64_t size) {
    return TensorPlace::FromJson(Json::Parse(text), size).has_value();
  };
  EXPECT_TRUE(is_place("[0, [2, 3]]", 6));
  EXPECT_TRUE(is_place("[4, [2, 3]]", 2));
  EXPECT_TRUE(is_place("[1, [2, 3], [1, 1, 2]]", 3));
  EXPECT_TRUE(is_place("[0, []]", 1));
  EXPECT_TRUE(is_place("[0, [2, 3], [0, 2, 0]]", 0));
  for (const char* const text :
       {"[]", "[0]", "[5, [2, 3]]", "[-1, [2, 3]]", "[0, [-2, -3]]",
        "[0, [2, 3], []]", "[0, [2, 3], [2, 0, 1]]", "[0, [2, 3], [-1, 0, 1]]",
        "[0, [2, 3], [1, 2, 2]]", "[0, [2, 3], [1, -1, 2]]",
        "[0, [2, 3], [0, 0, -1]]", "[1, [2, 3], [1, 2, 1]]",
        "[0, [2, 3], [1, 0, 2, 0]]", "[0, [2, 3], [1, 0, 2], 0]",
        "[0, [4611686018427387904, 4]]",
        "[9223372036854775807, [2, 3], [1, 0, 2]]",
        "[0, [2, 3], [1, 9223372036854775807, 2]]", "[0, [1]]"}) {
    EXPECT_FALSE(is_place(text, 2)) << text;
  }
  EXPECT_FALSE(is_place("[0, [2, 3]]", 7));
  EXPECT_THROW(is_place("{}", 1), Error);
  EXPECT_THROW(is_place("[0, 2]", 1), Error);
  EXPECT_THROW(is_place("[0.5, [2]]", 1), Error);
}

}  // namespace
}  // namespace t2t
