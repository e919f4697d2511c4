// SPDX-License-Identifier: Apache-2.0
#include "web/bcrypt.h"

#include <gtest/gtest.h>

#include <string>

namespace corosync_exporter::web {
namespace {

using namespace std::string_literals;

const std::string salted = "$2b$04$abcdefghijklmnopqrstuu";
const std::string hash_of_secret = salted + "2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

TEST(BcryptTest, MatchesTheRightPasswordOnly) {
  EXPECT_TRUE(bcrypt_matches("secret", hash_of_secret));
  EXPECT_FALSE(bcrypt_matches("Secret", hash_of_secret));
  EXPECT_FALSE(bcrypt_matches("secret ", hash_of_secret));
  EXPECT_FALSE(bcrypt_matches("", hash_of_secret));
  EXPECT_TRUE(bcrypt_matches("", salted + "byCG3zY1GIXMyxfivm.ClDiInHzxjiq"));
}

TEST(BcryptTest, AgreesWithOthersAboutAKnownHash) {
  EXPECT_TRUE(
      bcrypt_matches("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"));
}

TEST(BcryptTest, TheThreePrefixesMeanTheSame) {
  for (const std::string prefix : {"$2a$", "$2b$", "$2y$"}) {
    EXPECT_TRUE(bcrypt_matches("secret", prefix + hash_of_secret.substr(4))) << prefix;
  }
}

TEST(BcryptTest, BitsOfTheSaltThatDoNotCountDoNotCount) {
  std::string hash = hash_of_secret;
  hash[28] = 'v';  // two of its six bits are used
  EXPECT_TRUE(bcrypt_matches("secret", hash));
  hash[28] = 'e';
  EXPECT_FALSE(bcrypt_matches("secret", hash));
}

TEST(BcryptTest, SeventyTwoBytesCount) {
  const std::string hash = salted + "bzadhGtS2zEF.gu0yd0opP6cVzb.e0i";
  EXPECT_TRUE(bcrypt_matches(std::string(72, 'x'), hash));
  EXPECT_TRUE(bcrypt_matches(std::string(72, 'x') + "y", hash));
  EXPECT_FALSE(bcrypt_matches(std::string(71, 'x'), hash));
}

TEST(BcryptTest, BytesAbove127Count) {
  EXPECT_TRUE(bcrypt_matches("p\xc3\xa4ss", salted + "F7KK/SfP9IRGj0pPJMr8GdtCS8xpmpC"));
}

TEST(BcryptTest, SaysWhereItCannotTell) {
  EXPECT_THROW((void)bcrypt_matches(std::string(512, 'x'), hash_of_secret), std::runtime_error);
  EXPECT_THROW((void)bcrypt_matches("secret", "$2b$04$"), std::runtime_error);
  EXPECT_THROW((void)bcrypt_matches("secret", "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0"),
               std::runtime_error);
}

TEST(BcryptTest, TheCostIsTheHashes) {
  EXPECT_EQ(bcrypt_cost(hash_of_secret), 4);
  EXPECT_EQ(bcrypt_cost("$2y$31$" + hash_of_secret.substr(7)), 31);
}

TEST(BcryptTest, OtherTextsAreNoHashes) {
  for (const std::string& text :
       {std::string{}, "secret"s, hash_of_secret.substr(0, 59), hash_of_secret + ".",
        hash_of_secret + "\n", "$2$04$a" + hash_of_secret.substr(7),
        "$2x$" + hash_of_secret.substr(4), "$3b$" + hash_of_secret.substr(4),
        "$2b$03$" + hash_of_secret.substr(7), "$2b$32$" + hash_of_secret.substr(7),
        "$2b$ 4$" + hash_of_secret.substr(7), "$2b$4$a" + hash_of_secret.substr(7),
        "$2b$04a" + hash_of_secret.substr(7), hash_of_secret.substr(0, 59) + "=",
        hash_of_secret.substr(0, 59) + '\0'}) {
    EXPECT_EQ(bcrypt_cost(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace corosync_exporter::web
