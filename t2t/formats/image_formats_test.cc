#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
// (Needs the types of <cstdio>.)
#include <jpeglib.h>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/formats/encoded_image.h"
#include "t2t/formats/image_files.h"
#include "t2t/formats/jpeg.h"
#include "t2t/formats/png.h"
#include "t2t/formats/sgml.h"

namespace t2t {
namespace {

using Bytes = std::vector<uint8_t>;

// Written by Python's zlib and struct, after the PNG specification: 2 x 2
// colours; three pixels of a palette of two; a pixel of 16 bits a channel, with
// alpha 0 and a gamma of 1.0, neither of which tf.image.decode_png applies.
constexpr char kRgb[] =
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52"
    "\x00\x00\x00\x02\x00\x00\x00\x02\x08\x02\x00\x00\x00\xfd\xd4\x9a"
    "\x73\x00\x00\x00\x16\x49\x44\x41\x54\x78\x9c\x63\x60\x64\x62\x66"
    "\x61\x65\x63\xf8\xf5\xfb\xcf\xdf\x7f\xff\x01\x15\x7e\x06\x01\x9d"
    "\xf4\x74\x90\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";

constexpr char kPalette[] =
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52"
    "\x00\x00\x00\x03\x00\x00\x00\x01\x08\x03\x00\x00\x00\x2c\x3e\xe4"
    "\x86\x00\x00\x00\x06\x50\x4c\x54\x45\x09\x08\x07\x3c\x32\x28\xda"
    "\x7b\x7b\x00\x00\x00\x00\x0c\x49\x44\x41\x54\x78\x9c\x63\x60\x64"
    "\x60\x04\x00\x00\x08\x00\x03\x0e\xd8\xec\xf1\x00\x00\x00\x00\x49"
    "\x45\x4e\x44\xae\x42\x60\x82";

constexpr char kRgba16[] =
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52"
    "\x00\x00\x00\x01\x00\x00\x00\x01\x10\x06\x00\x00\x00\x4f\x85\x18"
    "\xca\x00\x00\x00\x04\x67\x41\x4d\x41\x00\x01\x86\xa0\x31\xe8\x96"
    "\x5f\x00\x00\x00\x11\x49\x44\x41\x54\x78\x9c\x63\xe0\x4a\x16\x49"
    "\x96\x4b\x66\x60\x00\x00\x07\x16\x01\x66\x4e\x01\x1a\xcc\x00\x00"
    "\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";

template <size_t size>
std::string_view View(const char (&bytes)[size]) {
  return {bytes, size - 1};
}

TEST(PngTest, ReadsWhatOthersWrite) {
  const Image rgb = DecodePng(View(kRgb), 3);
  EXPECT_EQ(rgb.height, 2);
  EXPECT_EQ(rgb.width, 2);
  EXPECT_EQ(rgb.pixels,
            (Bytes{1, 2, 3, 4, 5, 6, 250, 251, 252, 253, 254, 255}));
  EXPECT_EQ(DecodePng(View(kPalette), 3).pixels,
            (Bytes{60, 50, 40, 9, 8, 7, 60, 50, 40}));
  EXPECT_EQ(DecodePng(View(kRgba16), 3).pixels, (Bytes{10, 20, 30}));
}

TEST(PngTest, RoundTripOfGreyAndColour) {
  for (const int64_t channels : {1, 3}) {
    Image image = {5, 7, channels, {}};
    for (int64_t i = 0; i < 35 * channels; ++i) {
      image.pixels.push_back(static_cast<uint8_t>(i * 37 % 256));
    }
    const std::string bytes = EncodePng(image);
    EXPECT_EQ(bytes, EncodePng(image));
    const Image back = DecodePng(bytes, static_cast<int>(channels));
    EXPECT_EQ(back.height, 5);
    EXPECT_EQ(back.width, 7);
    EXPECT_EQ(back.pixels, image.pixels);
  }
  Image grey = {1, 1, 1, {77}};
  EXPECT_EQ(DecodePng(EncodePng(grey), 3).pixels, (Bytes{77, 77, 77}));
}

TEST(PngTest, DamagedBytesAreAnError) {
  const std::string whole(View(kRgb));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(DecodePng(whole.substr(0, size), 3), Error) << size;
  }
  for (size_t i = 0; i < whole.size() - 12; ++i) {
    std::string bad = whole;
    bad[i] = static_cast<char>(bad[i] ^ 0x40);
    EXPECT_THROW(DecodePng(bad, 3), Error) << i;
  }
  // A size that nobody has memory for (its CRC is right).
  constexpr char kHuge[] =
      "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x01\x00\x00\x00\x01\x00"
      "\x00\x08\x02\x00\x00\x00\xe3\xe6\xa7\xb4"
      "";
  EXPECT_THROW(DecodePng(View(kHuge), 3), Error);
}

TEST(SgmlTest, SegmentsAsT2TTakesThem) {
  const std::string dir = MakeTempDirectory("sgml");
  WriteFileAtomically(dir + "/a.sgm",
                      "<srcset setid=\"x\" srclang=\"any\">\n"
                      "<doc sysid=\"ref\" docid=\"d\" genre=\"news\">\n"
                      "<hl>\n<seg id=\"1\">A &amp; B > C</seg>\n</hl>\n"
                      "<p>\n  <seg id=\"2\">\xe4\xb8\xad</seg>  \n"
                      "<seg id=\"3\"></seg>\n</p>\n</doc>\n</srcset>\n");
  SegmentReader reader(dir + "/a.sgm");
  std::vector<std::string> texts;
  for (std::string text; reader.Next(&text);) texts.push_back(text);
  EXPECT_EQ(texts,
            (std::vector<std::string>{"A &amp; B > C", "\xe4\xb8\xad", ""}));
}

TEST(SgmlTest, ASegmentOverSeveralLinesIsNamed) {
  const std::string dir = MakeTempDirectory("sgml");
  WriteFileAtomically(dir + "/a.sgm", "<doc>\n<seg id=\"1\">a\nb</seg>\n");
  SegmentReader reader(dir + "/a.sgm");
  std::string text;
  try {
    reader.Next(&text);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    EXPECT_NE(std::string(error.what()).find("line 2"), std::string::npos);
  }
}

TEST(SgmlTest, AFileThatIsCutBetweenSegmentsIsNamed) {
  const std::string dir = MakeTempDirectory("sgml");
  const std::string whole =
      "<refset setid=\"x\" trglang=\"de\">\n<doc docid=\"d\">\n"
      "<seg id=\"1\">a</seg>\n<seg id=\"2\">b</seg>\n</doc>\n</refset>\n";
  WriteFileAtomically(dir + "/a.sgm",
                      whole.substr(0, whole.find("<seg id=\"2")));
  SegmentReader reader(dir + "/a.sgm");
  std::string text;
  EXPECT_TRUE(reader.Next(&text));
  try {
    reader.Next(&text);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    const std::string message = error.what();
    EXPECT_NE(message.find(dir + "/a.sgm ends at line 3, inside a <refset>"),
              std::string::npos)
        << message;
  }
}

TEST(CifarTest, PlanesBecomePixels) {
  const std::string dir = MakeTempDirectory("cifar");
  // Two images of 2 x 2: red, green and blue planes behind the label.
  std::string records = std::string("\x03") + "rstuGHIJbcde";
  records += std::string("\x01") + "0123456789AB";
  WriteFileAtomically(dir + "/1.bin", records);
  WriteFileAtomically(dir + "/2.bin", records.substr(13));
  const auto set = ReadCifar({dir + "/1.bin", dir + "/2.bin"}, 2, 4);
  ASSERT_EQ(set->count(), 3u);
  EXPECT_EQ(set->label(0), 3);
  EXPECT_EQ(set->label(2), 1);
  const Bytes pixels = set->image(0).pixels;
  EXPECT_EQ(std::string(pixels.begin(), pixels.end()), "rGbsHctIduJe");
  EXPECT_EQ(set->image(1).pixels, set->image(2).pixels);
  EXPECT_EQ(set->sums().size(), 2u);
  EXPECT_THROW(ReadCifar({dir + "/1.bin"}, 2, 3), Error);  // label 3
  WriteFileAtomically(dir + "/cut.bin", records.substr(0, 25));
  EXPECT_THROW(ReadCifar({dir + "/cut.bin"}, 2, 4), Error);
}

// A picture without edges, which JPEG keeps nearly as it is.
Image Smooth(int64_t height, int64_t width, int64_t channels) {
  Image image = {height, width, channels, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int64_t c = 0; c < channels; ++c) {
        image.pixels.push_back(static_cast<uint8_t>(40 + 2 * y + x + 30 * c));
      }
    }
  }
  return image;
}

int MostApart(const Bytes& a, const Bytes& b) {
  int most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(int{a[i]} - int{b[i]}));
  }
  return most;
}

TEST(JpegTest, RoundTripOfGreyAndColour) {
  for (const int64_t channels : {1, 3}) {
    const Image image = Smooth(21, 37, channels);
    const std::string bytes = EncodeJpeg(image, 95);
    EXPECT_EQ(bytes, EncodeJpeg(image, 95));
    EXPECT_LT(EncodeJpeg(image, 20).size(), bytes.size());
    const Image back = DecodeJpeg(bytes, static_cast<int>(channels));
    EXPECT_EQ(back.height, 21);
    EXPECT_EQ(back.width, 37);
    ASSERT_EQ(back.pixels.size(), image.pixels.size());
    EXPECT_LE(MostApart(back.pixels, image.pixels), 6);
  }
}

TEST(JpegTest, GreyBecomesColourAndColourGrey) {
  const Image grey = Smooth(8, 8, 1);
  const Image colour = DecodeJpeg(EncodeJpeg(grey, 95), 3);
  ASSERT_EQ(colour.pixels.size(), 3 * 64u);
  EXPECT_EQ(colour.pixels[30], colour.pixels[31]);
  EXPECT_EQ(colour.pixels[30], colour.pixels[32]);
  Image red = {8, 8, 3, {}};
  for (int i = 0; i < 64; ++i) {
    red.pixels.insert(red.pixels.end(), {255, 0, 0});
  }
  // The share of red in grey: 0.299.
  EXPECT_NEAR(DecodeJpeg(EncodeJpeg(red, 95), 1).pixels[20], 76, 3);
}

// A JPEG of four inks, 8 x 8; `adobe`: inverted, as Adobe's programs write it.
std::string OfInks(const uint8_t (&inks)[4], bool adobe) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): libjpeg's
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = info.image_height = 8;
  info.input_components = 4;
  info.in_color_space = JCS_CMYK;
  jpeg_set_defaults(&info);
  info.write_Adobe_marker = adobe ? TRUE : FALSE;
  jpeg_start_compress(&info, TRUE);
  uint8_t row[32];
  for (int i = 0; i < 32; ++i) row[i] = inks[i % 4];
  JSAMPROW line = row;
  while (info.next_scanline < 8) jpeg_write_scanlines(&info, &line, 1);
  jpeg_finish_compress(&info);
  std::string jpeg(reinterpret_cast<const char*>(bytes), size);
  jpeg_destroy_compress(&info);
  std::free(bytes);
  return jpeg;
}

TEST(JpegTest, InksBecomeColours) {
  // Cyan takes away red; a little black makes all darker.
  const Image plain = DecodeJpeg(OfInks({255, 0, 0, 51}, false), 3);
  EXPECT_NEAR(plain.pixels[0], 0, 2);
  EXPECT_NEAR(plain.pixels[1], 204, 2);
  EXPECT_NEAR(plain.pixels[2], 204, 2);
  const Image inverted = DecodeJpeg(OfInks({0, 255, 255, 204}, true), 3);
  EXPECT_LE(MostApart(inverted.pixels, plain.pixels), 2);
  EXPECT_NEAR(DecodeJpeg(OfInks({0, 0, 0, 0}, false), 1).pixels[0], 255, 2);
}

TEST(JpegTest, RefusesWhatIsCutOrLarge) {
  const std::string bytes = EncodeJpeg(Smooth(40, 40, 3));
  for (const size_t size : {bytes.size() - 40, bytes.size() / 2, size_t{100},
                            size_t{3}, size_t{0}}) {
    EXPECT_THROW(DecodeJpeg(std::string_view(bytes).substr(0, size), 3), Error)
        << size;
  }
  EXPECT_THROW(DecodeJpeg("no image", 3), Error);
  EXPECT_THROW(DecodeJpeg(bytes, 3, /*most_pixels=*/1599), Error);
  EXPECT_EQ(DecodeJpeg(bytes, 3, /*most_pixels=*/1600).width, 40);
}

// Bytes between two segments are in many images of real sets.
TEST(JpegTest, ReadsPastWhatDoesNoHarm) {
  std::string bytes = EncodeJpeg(Smooth(16, 16, 3));
  const Image image = DecodeJpeg(bytes, 3);
  bytes.insert(bytes.size() - 2, "\x01\x02\x03");
  EXPECT_EQ(DecodeJpeg(bytes, 3).pixels, image.pixels);
}

TEST(EncodedImageTest, GoesByTheBytes) {
  const Image image = Smooth(4, 6, 3);
  EXPECT_EQ(ImageFormat(EncodePng(image)), "png");
  EXPECT_EQ(ImageFormat(EncodeJpeg(image)), "jpeg");
  EXPECT_EQ(ImageFormat("GIF89a"), "");
  EXPECT_EQ(DecodeEncodedImage(EncodePng(image), 3).pixels, image.pixels);
  EXPECT_EQ(DecodeEncodedImage(EncodeJpeg(image), 1).pixels.size(), 24u);
  EXPECT_THROW(DecodeEncodedImage("GIF89a", 3), Error);
  EXPECT_THROW(DecodeEncodedImage("", 3), Error);
}

}  // namespace
}  // namespace t2t
