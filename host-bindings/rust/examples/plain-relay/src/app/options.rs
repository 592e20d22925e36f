//! The command line.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Relays one camera-like RTP sender (VP8 and Opus) to any number of viewers and shows live figures.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub(crate) struct Options {
    /// Address to listen on, and to send to viewers from.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS")]
    pub(crate) listen: IpAddr,

    /// First of four ports for the sender: video RTP and RTCP, audio RTP and RTCP. 0: any that are free. [default:
    /// 5004; 0 with --demo]
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,

    /// How many viewers to prepare; each gets a file that tells its player what will come.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=500))]
    pub(crate) viewers: u16,

    /// Where viewers are. [default: the address to listen on]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) viewer_address: Option<IpAddr>,

    /// First port of the first viewer, an even one; each takes four. [default: 6000; free ones with --demo]
    #[arg(long, value_name = "PORT")]
    pub(crate) viewer_port: Option<u16>,

    /// Where to write the viewers' session descriptions (viewer-N.sdp). [default: a temporary directory]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) sdp_directory: Option<PathBuf>,

    /// Start the sender and a decoding viewer too (both are ffmpeg); fails unless pictures come out.
    #[arg(long)]
    pub(crate) demo: bool,

    /// Stop after this many seconds. [default: at Ctrl-C]
    #[arg(long, value_name = "N")]
    pub(crate) seconds: Option<u64>,

    /// One JSON object a second on standard output; everything else goes to standard error.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Options {
    pub(crate) fn viewer_ip(&self) -> IpAddr {
        self.viewer_address.unwrap_or(self.listen)
    }

    /// The sender's first port; `None` lets the system choose each.
    pub(crate) fn sender_port(&self) -> Option<u16> {
        let port = self.port.unwrap_or(if self.demo { 0 } else { SENDER_PORT });
        (port > 0).then_some(port)
    }

    /// The RTP ports for video and audio of viewer `index`, counted from 0; `None` when there are none so high.
    pub(crate) fn viewer_ports(&self, index: u16) -> Option<[u16; 2]> {
        let first = self.viewer_port.unwrap_or(VIEWER_PORT).checked_add(index.checked_mul(4)?)?;
        // The last of the four is RTCP of the audio.
        first.checked_add(3)?;
        Some([first, first + 2])
    }

    pub(crate) fn duration(&self) -> Option<Duration> {
        self.seconds.map(Duration::from_secs)
    }
}

/// What RFC 3551 8 suggests for RTP where nothing else is agreed.
const SENDER_PORT: u16 = 5004;
const VIEWER_PORT: u16 = 6000;

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn demo_takes_free_ports_for_the_sender_unless_told() {
        assert_eq!(Options::parse_from(["plain-relay"]).sender_port(), Some(5004));
        assert_eq!(Options::parse_from(["plain-relay", "--demo"]).sender_port(), None);
        assert_eq!(
            Options::parse_from(["plain-relay", "--demo", "--port", "7000"]).sender_port(),
            Some(7000)
        );
    }

    #[test]
    fn each_viewer_has_four_ports_of_its_own() {
        let options = Options::parse_from(["plain-relay", "--viewer-port", "65528"]);
        assert_eq!(options.viewer_ports(0), Some([65_528, 65_530]));
        assert_eq!(options.viewer_ports(1), Some([65_532, 65_534]));
        assert_eq!(options.viewer_ports(2), None);
    }
}
