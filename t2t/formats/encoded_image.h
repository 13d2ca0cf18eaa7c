#ifndef T2T_FORMATS_ENCODED_IMAGE_H_
#define T2T_FORMATS_ENCODED_IMAGE_H_

#include <string>
#include <string_view>

#include "t2t/formats/image.h"

namespace t2t {

// "png" or "jpeg", by the first bytes (a set has files whose names say
// something else); "": neither.
std::string ImageFormat(std::string_view bytes);

// A PNG or a JPEG. `channels`: 1 or 3. Throws a DataError where it is neither,
// or is damaged.
Image DecodeEncodedImage(std::string_view bytes, int channels);

}  // namespace t2t

#endif  // T2T_FORMATS_ENCODED_IMAGE_H_
