"""AWS, simulated or live: sessions, deployment, predictions and clean-up. The only room that speaks boto3."""
