//! Bit rates of the layers of one received stream.
//!
//! Knows spatial and temporal ids, amounts and times. Does not know codecs, nor which layer builds on which. Called by
//! `Producer::admit` for each packet, and by statistics.
//! Invariant: a stream that only ever had its lowest layer holds nothing, and none holds more than [`LAYERS_MAX`] rates.

use std::time::Duration;

use crate::base::rate::Rate;
use crate::base::time::Time;

/// A layer of a stream. Orders by spatial, then by temporal id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layer {
    /// 0 is the lowest resolution.
    pub spatial: u8,
    /// 0 is the lowest frame rate.
    pub temporal: u8,
}

/// What each layer that was seen takes. Allocates when a layer is seen for the first time, if it is not the lowest alone.
#[derive(Debug, Default)]
pub struct LayerRates {
    /// In the order of layers.
    rates: Vec<(Layer, Rate)>,
}

impl LayerRates {
    /// Counts a packet of a layer over `window`. Of layers beyond [`LAYERS_MAX`] nothing is counted.
    pub fn add(&mut self, layer: Layer, now: Time, bytes: usize, window: Duration) {
        if self.rates.is_empty() && layer == Layer::default() {
            return;
        }
        let index = match self.rates.binary_search_by_key(&layer, |(known, _)| *known) {
            Ok(index) => index,
            Err(_) if self.rates.len() >= LAYERS_MAX => return,
            Err(index) => {
                self.rates.reserve_exact(1);
                self.rates.insert(index, (layer, Rate::new(window)));
                index
            }
        };
        if let Some((_, rate)) = self.rates.get_mut(index) {
            rate.add(now, bytes);
        }
    }

    /// Bits per second of each layer by itself, without those that it builds on; nothing of a stream without layers.
    pub fn bits_per_second(&self, now: Time) -> impl Iterator<Item = (Layer, u64)> + '_ {
        self.rates.iter().map(move |(layer, rate)| (*layer, rate.bits_per_second(now)))
    }

    /// Forgets all layers and gives the memory back: the stream began anew, and may have others.
    pub fn clear(&mut self) {
        self.rates = Vec::new();
    }
}

/// Four spatial layers with eight temporal ones each (dependency descriptor) are 32: as many as statistics can tell.
pub const LAYERS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(2_500);

    const fn layer(spatial: u8, temporal: u8) -> Layer {
        Layer { spatial, temporal }
    }

    fn told(rates: &LayerRates, at_ms: u64) -> Vec<(Layer, u64)> {
        rates.bits_per_second(Time::from_millis(at_ms)).collect()
    }

    #[test]
    fn each_layer_has_the_rate_of_its_own_packets() {
        let mut rates = LayerRates::default();
        // 30 frames/s in the pattern 0 2 1 2 of three temporal layers, and a second spatial layer twice as large.
        for frame in 0..150_u64 {
            let temporal = [0, 2, 1, 2][(frame % 4) as usize];
            let now = Time::from_millis(frame * 1_000 / 30);
            rates.add(layer(1, temporal), now, 2_000, WINDOW);
            rates.add(layer(0, temporal), now, 1_000, WINDOW);
        }
        let told = told(&rates, 5_000);
        let order: Vec<_> = told.iter().map(|(layer, _)| *layer).collect();
        assert_eq!(order, [layer(0, 0), layer(0, 1), layer(0, 2), layer(1, 0), layer(1, 1), layer(1, 2)]);
        for ((_, actual), expected) in told.iter().zip([60_000, 60_000, 120_000, 120_000, 120_000, 240_000]) {
            assert!(actual.abs_diff(expected) <= expected / 10, "{told:?}");
        }
        assert!(rates.bits_per_second(Time::from_millis(9_000)).all(|(_, rate)| rate == 0));
    }

    #[test]
    fn stream_without_layers_holds_nothing() {
        let mut rates = LayerRates::default();
        (0..100).for_each(|at| rates.add(layer(0, 0), Time::from_millis(at), 1_000, WINDOW));
        assert_eq!((rates.rates.capacity(), told(&rates, 100)), (0, Vec::new()));
        rates.add(layer(0, 1), Time::from_millis(100), 1_000, WINDOW);
        assert_eq!(told(&rates, 100).len(), 1);
        rates.clear();
        assert_eq!((rates.rates.capacity(), told(&rates, 100)), (0, Vec::new()));
    }

    #[test]
    fn whatever_ids_come_the_memory_is_bounded() {
        let mut rates = LayerRates::default();
        for spatial in (0..=255).rev() {
            for temporal in (0..=255).rev() {
                rates.add(layer(spatial, temporal), Time::ZERO, 1, WINDOW);
            }
        }
        assert_eq!((rates.rates.len(), rates.rates.capacity()), (LAYERS_MAX, LAYERS_MAX));
    }
}
