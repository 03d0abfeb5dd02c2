"""What the soak mixes into good jobs, who answers them, and its accounts."""
