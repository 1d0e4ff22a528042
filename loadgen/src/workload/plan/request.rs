//! Resources in the spec of a container.

use serde::{Deserialize, Serialize};

use crate::workload::resources::ResourceInfo;
use crate::workload::scenario::PodShape;

use crate::workload::draw::Draw;

/// CPU shares per core: the factor that kubelet applies to requests.
const SHARES_PER_CORE: u64 = 1024;

/// Shares that kubelet writes for a container without a CPU request: the minimum of
/// the kernel. A sandboxer must read this value as "none".
const NO_REQUEST_SHARES: u64 = 2;

/// Period of the CPU quota in microseconds: the default of kubelet.
pub(super) const PERIOD_US: u64 = 100_000;

const MIB: u64 = 1 << 20;

/// Values of a container's `linux.resources` in cgroup v1 terms; `None` is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// `cpu.shares`.
    pub shares: u64,
    /// `cpu.quota`, in microseconds per period of 100 ms.
    pub quota_us: Option<u64>,
    /// `memory.limit`, in bytes.
    pub memory_limit: Option<u64>,
    /// `memory.reservation`, in bytes.
    pub memory_reservation: Option<u64>,
    /// `pids.limit`.
    pub pids: Option<u64>,
}

impl Resources {
    /// Draws requests from the shape; limits are 1 to 4 times the request. Some
    /// values are left out at random, as in real clusters.
    pub(super) fn draw(draw: &mut Draw, shape: &PodShape) -> Self {
        let millicores = shape.cpu_millicores.draw(draw);
        let memory = shape.memory_mib.draw(draw) * MIB;
        let cpu_factor = draw.pick([1, 2, 4]);
        // In halves of the request.
        let memory_factor = draw.pick([2, 3, 4]);
        Self {
            shares: if draw.once_in(16) {
                NO_REQUEST_SHARES
            } else {
                millicores * SHARES_PER_CORE / 1000
            },
            quota_us: (!draw.once_in(8)).then_some(millicores * cpu_factor * PERIOD_US / 1000),
            memory_limit: (!draw.once_in(16)).then_some(memory / 2 * memory_factor),
            memory_reservation: (!draw.once_in(8)).then_some(memory),
            pids: Some(shape.pids.draw(draw)),
        }
    }

    /// Returns the resources that lead a sandboxer to `info`, without storage and
    /// bandwidth, for which they have no field. Shares are those of a kubelet, which rounds
    /// down.
    pub(crate) fn of_info(info: &ResourceInfo) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "such a cast saturates"
        )]
        let whole = |number: f64| number.round() as u64;
        Self {
            shares: info.cpu_request.map_or(NO_REQUEST_SHARES, |cores| {
                whole(cores * 1000.0) * SHARES_PER_CORE / 1000
            }),
            quota_us: info.cpu_limit.map(|cores| whole(cores * PERIOD_US as f64)),
            memory_limit: info.memory_limit,
            memory_reservation: info.memory_request,
            pids: info.pid_limit,
        }
    }

    /// Returns the `ResourceInfo` that a sandboxer must compute from these resources.
    pub fn info(&self) -> ResourceInfo {
        ResourceInfo {
            cpu_limit: self.quota_us.map(|quota| quota as f64 / PERIOD_US as f64),
            // A kubelet rounds down when it makes shares of millicores, and so its inverse
            // rounds up.
            cpu_request: (self.shares != NO_REQUEST_SHARES)
                .then(|| (self.shares * 1000).div_ceil(SHARES_PER_CORE) as f64 / 1000.0),
            memory_limit: self.memory_limit,
            memory_request: self.memory_reservation,
            pid_limit: self.pids,
            storage_limit: None,
            network_bandwidth: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_minimum_of_shares_is_no_request() {
        let resources = Resources {
            shares: 2,
            quota_us: Some(150_000),
            memory_limit: None,
            memory_reservation: Some(MIB),
            pids: Some(32),
        };
        assert_eq!(
            resources.info(),
            ResourceInfo {
                cpu_limit: Some(1.5),
                cpu_request: None,
                memory_limit: None,
                memory_request: Some(MIB),
                pid_limit: Some(32),
                storage_limit: None,
                network_bandwidth: None,
            }
        );
    }

    #[test]
    fn resources_survive_the_way_through_resource_info() {
        for index in 0..200 {
            let drawn = Resources::draw(&mut Draw::new(4, index), &PodShape::default());
            assert_eq!(Resources::of_info(&drawn.info()), drawn);
        }
    }

    #[test]
    fn requests_never_exceed_limits_and_stay_in_their_ranges() {
        let (mut unlimited, mut unrequested) = (0, 0);
        for index in 0..2000 {
            let drawn = Resources::draw(&mut Draw::new(9, index), &PodShape::default());
            let info = drawn.info();
            if let (Some(limit), Some(request)) = (info.cpu_limit, info.cpu_request) {
                assert!(request <= limit, "{drawn:?}");
                assert!((0.009..=4.0).contains(&request), "{drawn:?}");
            }
            if let (Some(limit), Some(request)) = (info.memory_limit, info.memory_request) {
                assert!(request <= limit, "{drawn:?}");
                assert!((16 * MIB..=8192 * MIB).contains(&request), "{drawn:?}");
            }
            // The kernel takes no quota below a millisecond.
            assert!(drawn.quota_us.is_none_or(|quota| quota >= 1000));
            assert!(drawn.pids.is_some_and(|pids| (32..=4096).contains(&pids)));
            unlimited += u32::from(info.cpu_limit.is_none());
            unrequested += u32::from(info.cpu_request.is_none());
        }
        assert!(unlimited > 100 && unrequested > 50);
    }
}
