// SPDX-License-Identifier: Apache-2.0
// What tests of the corosync room share: a running fake corosync, and the claim that at their end
// every handle was given back and no rule of the libraries broken.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fake_corosync.h"

namespace corosync_exporter {

// The base class, so that what the test itself owns is gone when the claims are made.
class CorosyncTest : public ::testing::Test {
 protected:
  CorosyncTest() { fake_corosync::reset(); }
  ~CorosyncTest() override {
    EXPECT_EQ(fake_corosync::open_handles(), 0U);
    EXPECT_EQ(fake_corosync::misuse(), std::vector<std::string>{});
  }
};

}  // namespace corosync_exporter
