#include "t2t/distributed/mesh.h"

#include <gtest/gtest.h>

#include <functional>

#include "t2t/base/error.h"

namespace t2t {
namespace {

using Ranks = std::vector<int64_t>;

void ExpectUsage(const std::function<void()>& body,
                 const std::vector<std::string>& texts) {
  try {
    body();
    ADD_FAILURE() << "no error: " << texts.front();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    for (const std::string& text : texts) {
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos)
          << "'" << text << "' in: " << error.what();
    }
  }
}

TEST(MeshTest, PartsCoverAll) {
  for (const int64_t total : {0, 1, 7, 8, 33}) {
    int64_t end = 0;
    for (int64_t i = 0; i < 4; ++i) {
      const ShardRange part = ShardRangeOf(total, 4, i);
      EXPECT_EQ(part.begin, end);
      EXPECT_LE(part.size(), (total + 3) / 4);
      end = part.end;
    }
    EXPECT_EQ(end, total);
  }
}

TEST(MeshTest, GroupsOfRanks) {
  const Mesh mesh = Mesh::Parse("data:4,model:2", 8);
  EXPECT_EQ(mesh.ranks(), 8);
  EXPECT_EQ(mesh.Size("data"), 4);
  EXPECT_EQ(mesh.Size("model"), 2);
  EXPECT_EQ(mesh.Size("other"), 1);
  EXPECT_EQ(mesh.Group("model", 5), (Ranks{4, 5}));
  EXPECT_EQ(mesh.Group("data", 5), (Ranks{1, 3, 5, 7}));
  EXPECT_EQ(mesh.Group("other", 5), (Ranks{5}));
  EXPECT_EQ(mesh.Index("data", 5), 2);
  EXPECT_EQ(mesh.Index("model", 5), 1);
  EXPECT_EQ(mesh.Index("other", 5), 0);

  const Mesh other = Mesh::Parse("model:2;batch:3", 6);
  EXPECT_EQ(other.ToText(), "model:2,data:3");
  EXPECT_EQ(other.Group("data", 4), (Ranks{3, 4, 5}));
  EXPECT_EQ(other.Group("model", 4), (Ranks{1, 4}));

  for (int64_t rank = 0; rank < 6; ++rank) {
    for (const char* const axis : {"data", "model"}) {
      const Ranks group = other.Group(axis, rank);
      EXPECT_EQ(group[static_cast<size_t>(other.Index(axis, rank))], rank);
      for (const int64_t peer : group) {
        EXPECT_EQ(other.Group(axis, peer), group);
      }
    }
  }
}

TEST(MeshTest, WhatIsNotNamedIsData) {
  EXPECT_EQ(Mesh::Parse("", 3).ToText(), "data:3");
  EXPECT_EQ(Mesh::Parse("model:2", 6).ToText(), "data:3,model:2");
  EXPECT_EQ(Mesh::Parse("model:2", 2).ToText(), "data:1,model:2");
  EXPECT_EQ(Mesh().ToText(), "data:1");
}

TEST(MeshTest, BadShapes) {
  const auto parse = [](const char* text, int64_t ranks) {
    return [=] { Mesh::Parse(text, ranks); };
  };
  ExpectUsage(parse("data:2,modle:2", 4),
              {"'modle:2'", "did you mean 'model'"});
  ExpectUsage(parse("rows:2", 4), {"'rows:2'", "the axes are data"});
  ExpectUsage(parse("data:2,model:2", 8), {"of 4 ranks", "the job has 8"});
  ExpectUsage(parse("model:3", 8), {"a multiple of 3"});
  ExpectUsage(parse("model:2", 1), {"with 1 rank", "a multiple of 2"});
  ExpectUsage(parse("model", 2), {"'model'", "name:value"});
  ExpectUsage(parse("model:two", 2), {"'model:two'", "from 1 up"});
  ExpectUsage(parse("model:0", 2), {"from 1 up"});
  ExpectUsage(parse("model:-2", 2), {"from 1 up"});
  ExpectUsage(parse("model:2,model:2", 4), {"twice"});
  ExpectUsage(parse("data:2,batch:2", 4), {"twice"});
  ExpectUsage(parse("data:1048576,model:1048576", 4), {"a million"});
  ExpectUsage(parse("data:99999999999999999999", 4), {"from 1 up"});
}

TEST(LayoutTest, T2tsStrings) {
  const Mesh mesh = Mesh::Parse("data:2,model:2", 4);
  EXPECT_EQ(Layout::Parse("", mesh).ToText(),
            "batch:data;vocab:model;d_ff:model;heads:model;experts:model");
  EXPECT_EQ(Layout::Parse("batch:batch;vocab:model;d_ff:model", mesh).ToText(),
            "batch:data;vocab:model;d_ff:model");
  EXPECT_EQ(Layout::Parse("heads:model,length:model", mesh).ToText(),
            "batch:data;heads:model;length:model");
  EXPECT_FALSE(Layout::Parse("batch:data", mesh).Any());
  // Nothing to split over.
  const Mesh flat = Mesh::Parse("data:4", 4);
  EXPECT_FALSE(Layout::Parse("", flat).Any());
  EXPECT_FALSE(Layout::Parse("vocab:model", flat).Any());
}

TEST(LayoutTest, BadLayouts) {
  const Mesh mesh = Mesh::Parse("data:2,model:2", 4);
  const auto parse = [&](const char* text) {
    return [&mesh, text] { Layout::Parse(text, mesh); };
  };
  ExpectUsage(parse("d_model:model"), {"'d_model:model'", "heads:model"});
  ExpectUsage(parse("d_kv:model"), {"heads:model"});
  ExpectUsage(parse("vocab:data"), {"vocab:model", "the same weights"});
  ExpectUsage(parse("batch:model"), {"batch:data"});
  ExpectUsage(parse("vocb:model"), {"did you mean 'vocab'"});
  ExpectUsage(parse("vocab:modl"), {"did you mean 'model'"});
  ExpectUsage(parse("vocab"), {"name:value"});
  ExpectUsage(parse("vocab:model;vocab:model"), {"twice"});
  ExpectUsage(parse("outer_batch:b0;inner_batch:b1"), {"the axes are"});
}

}  // namespace
}  // namespace t2t
