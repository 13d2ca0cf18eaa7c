#include "t2t/train/t2t_names.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "t2t/base/error.h"

namespace t2t {
namespace {

Cluster Rank(int64_t rank, int64_t size) {
  Cluster cluster;
  cluster.rank = rank;
  cluster.world_size = size;
  return cluster;
}

T2TNames Parsed(std::vector<std::string> arguments) {
  T2TNames names;
  Flags flags("", "");
  names.AddTo(&flags);
  arguments.insert(arguments.begin(), "program");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  flags.Parse(static_cast<int>(pointers.size()), pointers.data());
  return names;
}

// The message of a usage error.
std::string Refused(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  ADD_FAILURE() << "accepted";
  return "";
}

void ExpectHas(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos)
      << "'" << part << "' in: " << text;
}

TEST(T2TNamesTest, WhatMeansSomethingIsAccepted) {
  for (const Cluster& cluster : {Rank(0, 1), Rank(1, 4)}) {
    for (const bool tf_config : {false, true}) {
      EXPECT_NO_THROW(Parsed({}).Check(cluster, tf_config));
      EXPECT_NO_THROW(Parsed({"--sync", "--ps_replicas=0", "--ps_gpu=0",
                              "--num_model_shards=1", "--nodiet"})
                          .Check(cluster, tf_config));
    }
  }
  // T2T's own default, in one process.
  EXPECT_NO_THROW(Parsed({"--nosync"}).Check(Rank(0, 1), false));
  // As T2T's make_tf_configs has it.
  EXPECT_NO_THROW(Parsed({"--ps_replicas=2", "--ps_gpu=1", "--sync"})
                      .Check(Rank(0, 2), true));
}

TEST(T2TNamesTest, TheRestIsRefusedWithWhatToUse) {
  ExpectHas(Refused([] { Parsed({"--nosync"}).Check(Rank(0, 2), false); }),
            "synchronous");
  ExpectHas(
      Refused([] {
        Parsed({"--sync=false", "--ps_replicas=1"}).Check(Rank(0, 1), true);
      }),
      "--sync");
  for (const char* const flag : {"--ps_replicas=3", "--ps_gpu=3"}) {
    const std::string why =
        Refused([&] { Parsed({flag}).Check(Rank(0, 2), false); });
    ExpectHas(why, flag);
    ExpectHas(why, "--worker_replicas=N");
    ExpectHas(why, "--zero_stage");
  }
  Refused([] { Parsed({"--ps_replicas=-1"}).Check(Rank(0, 2), true); });
  ExpectHas(Refused([] {
              Parsed({"--num_model_shards=4"}).Check(Rank(0, 4), false);
            }),
            "--mesh_shape=\"model:4\"");
  Refused([] { Parsed({"--num_model_shards=0"}).Check(Rank(0, 4), false); });
  ExpectHas(Refused([] { Parsed({"--diet"}).Check(Rank(0, 1), false); }),
            "optimizer=adafactor");
}

TEST(T2TNamesTest, Schedules) {
  EXPECT_EQ(ScheduleHere("train", Rank(0, 1)), "train");
  EXPECT_EQ(ScheduleHere("continuous_eval", Rank(1, 2)), "continuous_eval");
  EXPECT_EQ(ScheduleHere("run_std_server", Rank(1, 2)), "train");
  for (const int64_t size : {1, 2}) {
    ExpectHas(Refused([&] { ScheduleHere("run_std_server", Rank(0, size)); }),
              "--schedule=train");
  }
}

TEST(T2TNamesTest, HParams) {
  EXPECT_EQ(WithoutShardingHParams(""), "");
  EXPECT_EQ(WithoutShardingHParams("a=1,num_model_shards=1,b=[2,3],"
                                   "diet_experts=False"),
            "a=1,b=[2,3]");
  ExpectHas(Refused([] { WithoutShardingHParams("num_model_shards=8"); }),
            "--mesh_shape=\"model:8\"");
  ExpectHas(Refused([] { WithoutShardingHParams("a=1,diet_experts=true"); }),
            "--zero_stage=2");
  Refused([] { WithoutShardingHParams("num_model_shards=x"); });
  Refused([] { WithoutShardingHParams("diet_experts"); });
}

TEST(T2TNamesTest, MeshOfHParams) {
  HParams set;
  const auto mesh = [&](const char* shape, const char* layout, int64_t ranks) {
    return t2t::MeshOfHParams(shape, layout, set, ranks);
  };
  EXPECT_EQ(mesh("", "", 4).shape, "");
  set.Add("mesh_shape", "batch:2;model:4");
  set.Add("layout", "batch:batch;heads:model");
  // As many ranks as the set is for.
  EXPECT_EQ(mesh("", "", 8).shape, "batch:2;model:4");
  EXPECT_EQ(mesh("", "", 8).layout, "batch:batch;heads:model");
  EXPECT_EQ(mesh("", "vocab:model", 8).layout, "vocab:model");
  EXPECT_EQ(mesh("", "", 8).note, "");
  // Other numbers of them train the whole model, and it is said.
  for (const int64_t ranks : {1, 3}) {
    EXPECT_EQ(mesh("", "", ranks).shape, "");
    EXPECT_EQ(mesh("", "", ranks).layout, "");
    ExpectHas(mesh("", "", ranks).note, "batch:2;model:4 is of 8 devices");
  }
  // What is given comes first.
  EXPECT_EQ(mesh("model:2", "", 2).shape, "model:2");
  EXPECT_EQ(mesh("model:2", "", 2).layout, "batch:batch;heads:model");
  EXPECT_EQ(mesh("model:2", "d_ff:model", 2).layout, "d_ff:model");
  set.Set("mesh_shape", "");
  EXPECT_EQ(mesh("", "", 1).note, "");
}

}  // namespace
}  // namespace t2t
