#ifndef T2T_PROBLEM_IMAGE_SAMPLES_H_
#define T2T_PROBLEM_IMAGE_SAMPLES_H_

#include <functional>
#include <string>
#include <vector>

#include "t2t/problem/sample_source.h"

namespace t2t {

// A sample with an encoded image, as it lies in its set. `where` is for
// messages: the archive and the member. CheckImage() is to follow.
Example ImageSample(std::string encoded, const std::string& where);

// For SampleReading::finish. Decodes the image, so that a broken one stops
// datagen and not the training, and sets T2T's image/format, image/height and
// image/width. A DataError says where the image is.
void CheckImage(Example* sample);

// Adds what a member of an archive becomes: no sample, one, or more. `where`:
// the archive and the member, for messages.
using MakeOfMember =
    std::function<void(const std::string& member, const std::string& where,
                       std::string bytes, std::vector<Example>* samples)>;
// Of the members of archives, one after another, which are not unpacked. A
// member that is a tar (ImageNet's classes) counts as its own members.
NextExample SamplesOfArchives(std::vector<std::string> paths,
                              MakeOfMember make);

// The records of shards that a person brings; make(where, &example) makes a
// sample of one. A DataError says where the record is.
using MakeOfRecord =
    std::function<void(const std::string& where, Example* example)>;
NextExample SamplesOfShards(std::vector<std::string> paths, MakeOfRecord make);

}  // namespace t2t

#endif  // T2T_PROBLEM_IMAGE_SAMPLES_H_
