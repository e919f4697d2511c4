// SPDX-License-Identifier: Apache-2.0
// Families in Prometheus's text format 0.0.4: byte by byte what prometheus-cpp's TextSerializer
// makes of them, but without its stream, which took two thirds of what a page takes.
//
// Pure. HELP is not escaped: it is our own, and has nothing to escape.
// REQUIRES: counters and gauges only.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace corosync_exporter {

void append_text(std::string& text, const prometheus::MetricFamily& family);
[[nodiscard]] std::string text_of(const std::vector<prometheus::MetricFamily>& families);

}  // namespace corosync_exporter
