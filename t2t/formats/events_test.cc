#include "t2t/formats/events.h"

#include <gtest/gtest.h>

#include "proto/event.pb.h"
#include "t2t/base/fs.h"
#include "t2t/formats/png.h"
#include "t2t/formats/tfrecord.h"

namespace t2t {
namespace {

// As TensorBoard reads them: a PNG with its size, under a tag.
TEST(EventsTest, ImagesAreTheirPngs) {
  const std::string folder = MakeTempDirectory("events");
  Image grey = {2, 3, 1, {1, 2, 3, 4, 5, 6}};
  Image red = {1, 1, 3, {255, 0, 0}};
  {
    EventWriter writer(folder, 5);
    writer.WriteImages(7, {{"a/0", grey}, {"a/1", red}});
  }
  ASSERT_TRUE(HasEventsAt(folder, 7));
  TfRecordReader reader(JoinPath(folder, ListDirectory(folder).at(0)));
  std::string record;
  tensorflow::Event event;
  while (reader.Next(&record)) ASSERT_TRUE(event.ParseFromString(record));
  EXPECT_EQ(event.step(), 7);
  ASSERT_EQ(event.summary().value_size(), 2);
  EXPECT_EQ(event.summary().value(0).tag(), "a/0");
  const tensorflow::Summary::Image& image = event.summary().value(0).image();
  EXPECT_EQ(image.height(), 2);
  EXPECT_EQ(image.width(), 3);
  EXPECT_EQ(image.colorspace(), 1);
  EXPECT_EQ(DecodePng(image.encoded_image_string(), 1).pixels, grey.pixels);
  EXPECT_EQ(event.summary().value(1).image().colorspace(), 3);
  RemoveTree(folder);
}

}  // namespace
}  // namespace t2t
