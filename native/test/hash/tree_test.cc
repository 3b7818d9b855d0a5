#include "core/hash/tree.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "core/file/storage_paths.h"
#include "test/scratch.h"

namespace fr {
namespace {

constexpr size_t kRecordBytes = 96;
constexpr size_t kIdentityAt = 32;
constexpr size_t kReadBytes = 40;

template <typename Number>
void put(Number value, std::string* out) {
  char bytes[sizeof value];
  memcpy(bytes, &value, sizeof value);
  out->append(bytes, sizeof bytes);
}

template <typename Number>
Number number_at(const std::string& bytes, size_t at) {
  Number value;
  memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// Device and inode are what is compared of a directory.
TreeIdentity identity_of(const std::string& directory) {
  struct stat found;
  REQUIRE(stat(directory.c_str(), &found) == 0);
  TreeIdentity identity = {};
  const uint64_t numbers[] = {found.st_dev, found.st_ino};
  memcpy(identity.data(), numbers, sizeof numbers);
  return identity;
}

// Names of a directory, as they are packed.
std::string names_in(const std::string& directory) {
  std::string names;
  size_t count = 0;
  REQUIRE(list_names(directory, identity_of(directory), &names, &count).ok());
  return names;
}

// What `read_files` is asked of the one file of a directory.
std::string asked_for(const std::string& directory, const std::string& name, uint64_t at) {
  std::string packed, record, asked;
  put(static_cast<uint16_t>(name.size()), &packed);
  packed += name;
  REQUIRE(look_at(directory, identity_of(directory), packed, {}, &record).ok());
  asked = record.substr(kIdentityAt, kTreeIdentityBytes);
  put(at, &asked);
  const std::string path = directory + '/' + name;
  put(static_cast<uint32_t>(path.size()), &asked);
  return asked + path;
}

std::string read_all(const std::string& asked, int into) {
  std::string out;
  REQUIRE(read_files(asked, Algorithm::kBlake3, 1 << 20, into, &out).ok());
  return out;
}

TEST_CASE("names are sorted by bytes, and each is looked at as it is") {
  const test::Scratch scratch(test::kMemory);
  test::write_file(scratch / "b", "twelve bytes");
  test::write_file(scratch / "a\xff", "");
  REQUIRE(symlink("/nowhere", (scratch / "a").c_str()) == 0);
  REQUIRE(mkdir((scratch / "B").c_str(), 0700) == 0);
  const std::string names = names_in(scratch.path());
  CHECK(names == std::string("\1\0B\1\0a\2\0a\xff\1\0b", 13));
  std::string records;
  REQUIRE(look_at(scratch.path(), identity_of(scratch.path()), names, {}, &records).ok());
  const uint8_t kinds[] = {0, 2, 1, 1};
  size_t at = 0;
  for (const uint8_t kind : kinds) {
    CHECK(static_cast<uint8_t>(records[at + 4]) == kind);
    if (kind == 2) CHECK(records.substr(at + kRecordBytes + 1, 8) == "/nowhere");
    if (at + number_at<uint32_t>(records, at) == records.size()) {
      CHECK(number_at<uint64_t>(records, at + kIdentityAt + 16) == 12);
    }
    at += number_at<uint32_t>(records, at);
  }
  CHECK(at == records.size());
}

TEST_CASE("another directory in the place of one is told, and what is gone has its errno") {
  const test::Scratch scratch(test::kMemory), other(test::kMemory);
  std::string out;
  size_t count = 0;
  const Status status = list_names(scratch.path(), identity_of(other.path()), &out, &count);
  CHECK(status.code == Code::ERR_FR_SOURCE_CHANGED);
  const std::string gone("\4\0gone", 6);
  REQUIRE(look_at(scratch.path(), identity_of(scratch.path()), gone, {}, &out).ok());
  CHECK(number_at<uint32_t>(out, 24) == ENOENT);
  CHECK(look_at(scratch.path(), identity_of(scratch.path()), "\4", {}, &out).code ==
        Code::ERR_FR_IO);
}

TEST_CASE("files are read once, hashed and written to their places, unless they have changed") {
  const test::Scratch scratch(test::kMemory);
  const std::string bytes(70'000, 'x');
  test::write_file(scratch / "one", bytes);
  test::write_file(scratch / "two", "two");
  test::write_file(scratch / "three", "three");
  std::string asked = asked_for(scratch.path(), "one", 10);
  asked += asked_for(scratch.path(), "two", 70'010);
  asked += asked_for(scratch.path(), "three", 100'000);
  test::write_file(scratch / "two", "2");
  const std::string spool = scratch / "spool";
  const Fd into(open(spool.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const std::string out = read_all(asked, into.get());
  REQUIRE(out.size() == 3 * kReadBytes);
  CHECK(number_at<uint32_t>(out, 0) == 0);
  CHECK(number_at<uint32_t>(out, kReadBytes) == 1);
  CHECK(number_at<uint32_t>(out, 2 * kReadBytes) == 0);
  uint8_t digest[32];
  const auto* const data = reinterpret_cast<const uint8_t*>(bytes.data());
  REQUIRE(file_digest(data, bytes.size(), 1 << 20, Algorithm::kBlake3, digest).ok());
  CHECK(memcmp(out.data() + 8, digest, sizeof digest) == 0);
  const std::string spooled = test::read_file(spool);
  REQUIRE(spooled.size() == 100'005);
  CHECK(spooled.substr(10, bytes.size()) == bytes);
  CHECK(spooled.substr(100'000) == "three");
  // Only hashed.
  CHECK(read_all(asked, -1) == out);
}

}  // namespace
}  // namespace fr
