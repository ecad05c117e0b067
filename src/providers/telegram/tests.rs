//! The provider as its neighbours see it, without a network.
