"""Energy, forces and stress of frames from a teacher."""
